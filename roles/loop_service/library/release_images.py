#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Remove the images of old releases."""

DOCUMENTATION = r"""
module: release_images
short_description: Remove the images of old releases
description:
  - Keeps the newest releases of a repository and removes older ones, known by the tag that loopdeploy gives a release;
    no other tag and no other image is ever touched, nor one that a container uses.
  - Speaks to the engine's socket with the standard library alone and runs on Python 3.8.
options:
  repository:
    description: Name of the images without their tag.
    type: str
    required: true
  keep:
    description: So many of the newest releases are kept.
    type: int
    default: 5
  required:
    description: Fail unless there is this release; then nothing is removed.
    type: str
  socket:
    description: Path of the engine's socket.
    type: path
    default: /var/run/docker.sock
attributes:
  check_mode:
    description: Says what it would remove, and removes nothing.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
author: loopdeploy (@loopdeploy)
"""

EXAMPLES = r"""
- name: Keep the last five releases
  release_images:
    repository: loop-api
"""

RETURN = r"""
removed:
  description: Names of the images that were removed.
  type: list
  elements: str
  returned: success
"""


def main() -> None:
    """Remove what the task does not keep."""
    from ansible.module_utils.basic import AnsibleModule
    from ansible.module_utils.loop_engine import Engine
    from ansible.module_utils.loop_images import prune
    from ansible.module_utils.loop_images import require
    from ansible.module_utils.loop_problem import Problem

    module = AnsibleModule(
        argument_spec={
            "repository": {"type": "str", "required": True},
            "keep": {"type": "int", "default": 5},
            "required": {"type": "str"},
            "socket": {"type": "path", "default": "/var/run/docker.sock"},
        },
        supports_check_mode=True,
    )
    params, engine = module.params, Engine(module.params["socket"])
    try:
        if params["required"]:
            require(engine, params["repository"], params["required"])
            module.exit_json(changed=False, removed=[])
        removed = prune(engine, params["repository"], params["keep"], module.check_mode)
        module.exit_json(changed=bool(removed), removed=removed)
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
