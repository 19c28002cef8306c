#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run a created container until it proved healthy, and remove it."""

DOCUMENTATION = r"""
module: container_proof
short_description: Run a created container until it proved healthy, and remove it
description:
  - Starts a container that was created beside the one that serves, waits until its own health check passes, watches
    it for a while longer, and removes it.
  - Fails early when it exits, when its health check can never be run, or when the engine calls it unhealthy, with its
    last log lines, exit code and whether it ran out of memory.
  - Speaks to the engine's socket with the standard library alone and runs on Python 3.8.
options:
  name:
    description: Name of the created container.
    type: str
    required: true
  state_dir:
    description: Directory on the NAS where loopdeploy keeps its state.
    type: path
    required: true
  timeout:
    description: Seconds it may take until its health check passes.
    type: int
    default: 60
  steady:
    description: Seconds it must run on after that.
    type: int
    default: 3
  socket:
    description: Path of the engine's socket.
    type: path
    default: /var/run/docker.sock
attributes:
  check_mode:
    description: Starts and removes nothing.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
author: loopdeploy (@loopdeploy)
"""

EXAMPLES = r"""
- name: Prove the new image
  container_proof:
    name: loop-api-candidate
    state_dir: /volume1/LOOP_CORE/loopdeploy
"""

RETURN = r"""
"""


def main() -> None:
    """Prove what the task names."""
    from ansible.module_utils.basic import AnsibleModule
    from ansible.module_utils.loop_problem import Problem
    from ansible.module_utils.loop_proof import prove

    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state_dir": {"type": "path", "required": True},
            "timeout": {"type": "int", "default": 60},
            "steady": {"type": "int", "default": 3},
            "socket": {"type": "path", "default": "/var/run/docker.sock"},
        },
        supports_check_mode=True,
    )
    try:
        if not module.check_mode:
            prove(module.params)
        module.exit_json(changed=False)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
