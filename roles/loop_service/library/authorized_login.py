#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Let an SSH key log in to the NAS."""

DOCUMENTATION = r"""
module: authorized_login
short_description: Let an SSH key log in to the NAS
description:
  - Puts the key among the user's authorized ones, and leaves the others there.
  - Makes a home directory that is missing while DSM's user home service is off.
  - Takes from others the right to write the home directory, because sshd refuses every key of such a user.
  - Uses the standard library alone and runs on Python 3.8.
options:
  user:
    description: The user who logs in.
    type: str
    required: true
  key:
    description: The public key, as the line of C(authorized_keys) that it becomes.
    type: str
    required: true
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
- name: Let the key log in
  authorized_login:
    user: ann
    key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHSNOIdgRMGxLE51n56yAQxcmz0eWXtzr25IthLIqrtD loopdeploy
"""

RETURN = r"""
home:
  description: The user's home directory.
  type: str
  returned: success
mended:
  description: What was done, each a sentence.
  type: list
  elements: str
  returned: success
"""


def main() -> None:
    """Do what the task asks for."""
    from ansible.module_utils.basic import AnsibleModule
    from ansible.module_utils.loop_login import authorize
    from ansible.module_utils.loop_problem import Problem

    module = AnsibleModule(
        argument_spec={
            "user": {"type": "str", "required": True},
            "key": {"type": "str", "required": True, "no_log": False},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**authorize(module.params["user"], module.params["key"], module.check_mode))
    except Problem as problem:
        module.fail_json(msg=str(problem))
    except OSError as error:
        module.fail_json(
            msg=f"{error.filename} could not be written: {error.strerror}; nothing that logs in was changed."
        )


if __name__ == "__main__":
    main()
