#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judge whether a NAS, the way to it and its public address are as they must be."""

DOCUMENTATION = r"""
module: doctor
short_description: Judge whether a NAS, the way to it and its public address are as they must be
description:
  - Runs on the controller, behind the one task that asked the NAS, and changes nothing.
  - Whatever could be asked, it returns all lines of its table, each C(ok), C(warning), C(failed) or C(not asked).
  - Uses the standard library and the OpenSSH client alone and runs on Python 3.8.
options:
  answer:
    description: What the task returned that ran C(doctor.sh) on the NAS, whether it got there or not.
    type: dict
    required: true
  ssh:
    description: How the NAS is reached.
    type: dict
    required: true
    suboptions:
      host:
        description: Its name or address.
        type: str
        required: true
      port:
        description: The port of its SSH server; where there is none, the operator's own configuration of ssh names it.
        type: int
      user:
        description: The login.
        type: str
        required: true
      args:
        description: Further arguments of ssh.
        type: str
        default: ""
  url:
    description: The address under which the reverse proxy makes the services public.
    type: str
    required: true
  ports:
    description: Port on the NAS of each service.
    type: dict
    required: true
  network:
    description: Name of the network on which the services find each other.
    type: str
    required: true
  docker:
    description: Path of the Docker command on the NAS.
    type: path
    required: true
  python:
    description: Path of Python on the NAS.
    type: path
    required: true
  ansible:
    description: Version of the installed ansible-core.
    type: str
    required: true
  state_dir:
    description: Where loopdeploy keeps its own state on the NAS.
    type: path
    required: true
  loop_dir:
    description: The LOOP checkout on the NAS.
    type: path
    required: true
  free:
    description: MiB that a build needs.
    type: int
    required: true
  api_keys:
    description: Of each API key, by the name that it has in C(.env), whether it is in the vault.
    type: dict
    default: {}
  scan:
    description: Files on the controller in which passwords are looked for.
    type: list
    elements: path
    default: []
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
author: loopdeploy (@loopdeploy)
"""

EXAMPLES = r"""
- name: Judge what the NAS said
  doctor:
    answer: "{{ answer }}"
    ssh:
      host: nas.lan
      user: ann
    url: https://mcp.example.com
    ports:
      loop-auth: 8084
      loop-api: 8082
    network: loop
    docker: /var/packages/ContainerManager/target/usr/bin/docker
    python: /usr/bin/python3
    ansible: "{{ ansible_version.full }}"
    state_dir: /volume1/LOOP_CORE/loopdeploy
    loop_dir: /volume1/LOOP_CORE/vault/LOOP
    free: 512
  delegate_to: localhost
  become: false
"""

RETURN = r"""
findings:
  description: The lines of the table, each with C(subject), C(state) and C(text).
  type: list
  elements: dict
  returned: success
table:
  description: The same, for a person.
  type: list
  elements: str
  returned: success
reached:
  description: Whether the NAS was reached, with sudo.
  type: bool
  returned: success
sound:
  description: Whether no line is C(failed).
  type: bool
  returned: success
summary:
  description: A sentence that names what failed.
  type: str
  returned: success
"""


def main() -> None:
    """Judge what the task hands over, and look at the rest from here."""
    from ansible.module_utils.basic import AnsibleModule
    from ansible.module_utils.loop_doctor import examine

    module = AnsibleModule(
        argument_spec={
            "answer": {"type": "dict", "required": True},
            "ssh": {
                "type": "dict",
                "required": True,
                "options": {
                    "host": {"type": "str", "required": True},
                    "port": {"type": "int"},
                    "user": {"type": "str", "required": True},
                    "args": {"type": "str", "default": ""},
                },
            },
            "url": {"type": "str", "required": True},
            "ports": {"type": "dict", "required": True},
            "network": {"type": "str", "required": True},
            "docker": {"type": "path", "required": True},
            "python": {"type": "path", "required": True},
            "ansible": {"type": "str", "required": True},
            "state_dir": {"type": "path", "required": True},
            "loop_dir": {"type": "path", "required": True},
            "free": {"type": "int", "required": True},
            "api_keys": {"type": "dict", "default": {}},
            "scan": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **examine({**module.params, "oldest_python": oldest_python()}))


def oldest_python() -> str:
    """Return the oldest Python that the installed ansible-core drives, as its modules say themselves."""
    try:
        from ansible.module_utils.basic import _PY_MIN
    except ImportError:  # no promise of ansible-core's; 3.9 is the oldest from 2.20 to 2.22
        return "3.9"
    return ".".join(map(str, _PY_MIN))


if __name__ == "__main__":
    main()
