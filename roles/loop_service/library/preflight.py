#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check in one remote call that a NAS can take a deployment."""

DOCUMENTATION = r"""
module: preflight
short_description: Check in one remote call that a NAS can take a deployment
description:
  - Reads the engine, the named container, the bind sources, the ports and the build files, and changes nothing.
  - Fails with one sentence that names what is wrong and what to do, before anything that runs is touched.
  - Speaks to the engine's socket with the standard library alone and runs on Python 3.8.
options:
  docker:
    description: Path of the Docker command on the NAS.
    type: path
    required: true
  socket:
    description: Path of the engine's socket.
    type: path
    default: /var/run/docker.sock
  container:
    description: Name of the container that a verb is about.
    type: str
    required: true
  required:
    description: Fail when the container does not exist; in check mode a missing one is only reported.
    type: bool
    default: false
  network:
    description: Name of the network that the container wants.
    type: str
  neighbours:
    description: Names of the containers that are to be on O(network) when they run.
    type: list
    elements: str
    default: []
  binds:
    description: Bind mounts, C(source:target[:mode]); each source must exist.
    type: list
    elements: str
    default: []
  hidden:
    description: What of the bind mounts is hidden from the container, where it exists.
    type: list
    elements: dict
    default: []
    suboptions:
      source:
        description: Path on the NAS.
        type: path
        required: true
      target:
        description: The same in the container.
        type: path
        required: true
  ports:
    description: Published ports, C(host:container); each host port must be free or held by O(container).
    type: list
    elements: str
    default: []
  build:
    description: The build that is about to run.
    type: dict
    suboptions:
      path:
        description: Directory of the build context on the NAS.
        type: path
        required: true
      dockerfile:
        description: Dockerfile, relative to O(build.path).
        type: str
        required: true
  revision:
    description: Revision of the source that was built.
    type: str
    default: unknown
  linked:
    description: Fail when a running container has a hand-made C(--link) to O(container), which is about to be replaced.
    type: bool
    default: false
  unknown:
    description: Keys of the container's declaration that nothing passes on; it would be made without them.
    type: list
    elements: str
    default: []
  needs:
    description: >-
      Containers without whose answer a new O(container) would serve worse than the one that runs; a deployment is
      refused when one of them is not healthy.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode and changes nothing.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
author: loopdeploy (@loopdeploy)
"""

EXAMPLES = r"""
- name: Check that loop-api can be deployed
  preflight:
    docker: /var/packages/ContainerManager/target/usr/bin/docker
    container: loop-api
    network: loop
    neighbours: [loop-auth]
    binds: ["/volume1/LOOP_CORE/vault/LOOP:/vault:rw"]
    ports: ["8082:8081"]
    build:
      path: /volume1/LOOP_CORE/vault/LOOP
      dockerfile: Dockerfile
"""

RETURN = r"""
exists:
  description: Whether the container exists, running or not.
  type: bool
  returned: success
id:
  description: The container's id, C(none) when there is none.
  type: str
  returned: success
running:
  description: Whether the container runs.
  type: bool
  returned: success
network:
  description: Whether the network exists.
  type: bool
  returned: success
apart:
  description: The neighbours that run and are not on the network.
  type: list
  elements: str
  returned: success
requests:
  description: Whether this Python can import C(requests), which the modules of community.docker need.
  type: bool
  returned: success
hidden_files:
  description: Bind mounts that hide the files of O(hidden), C(source:target:mode).
  type: list
  elements: str
  returned: success
hidden_directories:
  description: Empty file systems that hide the directories of O(hidden), C(target:options).
  type: list
  elements: str
  returned: success
release:
  description: What a release of O(revision) is called that is made now, its time in UTC first.
  type: str
  returned: success
"""


def main() -> None:
    """Check what the task asks for."""
    from ansible.module_utils.basic import AnsibleModule
    from ansible.module_utils.loop_preflight import inspect
    from ansible.module_utils.loop_problem import Problem

    module = AnsibleModule(
        argument_spec={
            "docker": {"type": "path", "required": True},
            "socket": {"type": "path", "default": "/var/run/docker.sock"},
            "container": {"type": "str", "required": True},
            "required": {"type": "bool", "default": False},
            "network": {"type": "str"},
            "neighbours": {"type": "list", "elements": "str", "default": []},
            "binds": {"type": "list", "elements": "str", "default": []},
            "hidden": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "source": {"type": "path", "required": True},
                    "target": {"type": "path", "required": True},
                },
            },
            "ports": {"type": "list", "elements": "str", "default": []},
            "build": {
                "type": "dict",
                "options": {
                    "path": {"type": "path", "required": True},
                    "dockerfile": {"type": "str", "required": True},
                },
            },
            "revision": {"type": "str", "default": "unknown"},
            "linked": {"type": "bool", "default": False},
            "unknown": {"type": "list", "elements": "str", "default": []},
            "needs": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **inspect(module.params, module.check_mode))
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
