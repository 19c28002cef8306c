#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Take a deployment's lock over, or remove it."""

DOCUMENTATION = r"""
module: deploy_lock
short_description: Take a deployment's lock over, or remove it
description:
  - The lock is a directory, made by whoever is first. This module is for when it is there already.
  - Takes it over when its owner is gone, when its lease is over, when the NAS was started anew since, or when it was
    left half written; else it fails and says who holds it, since when, and what for.
  - Leases are counted in the NAS's uptime, so that its clock may be wrong or be set.
  - Runs on Python 3.8.
options:
  state_dir:
    description: Directory on the NAS where loopdeploy keeps its state.
    type: path
    required: true
  state:
    description:
      - V(present) takes the lock over.
      - V(absent) removes it, whoever holds it but O(alive), and writes into the history that its run was interrupted.
    type: str
    choices: [present, absent]
    default: present
  owner:
    description: Who takes it, with C(token), C(user), C(host), C(pid) and C(verb).
    type: dict
  lease:
    description: Seconds after which others may take the lock over.
    type: int
    default: 3600
  dead:
    description: Token of an owner that is known to be gone.
    type: str
  alive:
    description: Token of an owner that is known to be at work, so that its lock is not removed.
    type: str
attributes:
  check_mode:
    description: Says what it would do, and does nothing.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
author: loopdeploy (@loopdeploy)
"""

EXAMPLES = r"""
- name: Take the lock over from a run that was killed
  deploy_lock:
    state_dir: /volume1/LOOP_CORE/loopdeploy
    owner: {token: "ann@desk:4711:99", user: ann, host: desk, pid: 4711, verb: rebuild}
    dead: ann@desk:4242:11
"""

RETURN = r"""
why:
  description: Whose lock it was and why it was taken over or removed, as a sentence; empty when there was none.
  type: str
  returned: success
run:
  description: Token of the run that held the lock before.
  type: str
  returned: success
"""


def main() -> None:
    """Do what the task asks for."""
    from ansible.module_utils.basic import AnsibleModule
    from ansible.module_utils.loop_lock import change_lock
    from ansible.module_utils.loop_problem import Problem

    module = AnsibleModule(
        argument_spec={
            "state_dir": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "owner": {"type": "dict"},
            "lease": {"type": "int", "default": 3600},
            "dead": {"type": "str"},
            "alive": {"type": "str"},
        },
        required_if=[("state", "present", ["owner"])],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**change_lock(module.params, module.check_mode))
    except Problem as problem:
        module.fail_json(msg=str(problem))
    except OSError as error:
        module.fail_json(msg=f"The lock cannot be changed ({error}): free space on the NAS; nothing was touched.")


if __name__ == "__main__":
    main()
