#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Back up an authorization server's database and keys, or bring a backup back."""

DOCUMENTATION = r"""
module: auth_backup
short_description: Back up an authorization server's database and keys, or bring a backup back
description:
  - Copies the database with SQLite's own backup, also while it is in use; a copy of the file alone would lose what is
    in its write-ahead log.
  - A backup is whole or not there, readable by root alone, and checked. Its name sorts behind those of all others,
    whatever the clock says; what else is in O(directory) is no backup, and left alone.
  - Bringing one back copies its files beside those in use, stops the container, puts them in place, and starts it
    again, all in one process on the NAS; when it does not become healthy, what it had before is brought back, and what
    it did not have then is removed. Before the copies are whole nothing is touched, so a full disk stops nobody.
  - What it had before is, but for the keys, what there was when it was stopped, whatever it wrote until then.
  - A backup without a database, or without keys, leaves those that are there.
  - Writes into O(state_dir) that it puts files in place, so that the next run finishes what a power cut left.
  - Runs on Python 3.8.
options:
  database:
    description: Path of the SQLite database.
    type: path
    required: true
  keys:
    description: Directory of the keys.
    type: path
    required: true
  directory:
    description: Where the backups are.
    type: path
    required: true
  state:
    description:
      - V(present) makes a backup.
      - V(restored) makes one and then brings O(backup) back.
      - V(healed) finishes what an interrupted V(restored) left, or undoes it when O(backup) is gone by then. Files that
        were in place already stay, whatever the container's health is.
    type: str
    choices: [present, restored, healed]
    default: present
  keep:
    description: So many of the newest backups are kept, and O(backup) while it is brought back.
    type: int
    default: 5
  backup:
    description: Name of the backup that is brought back; V(latest) is the one made last.
    type: str
  container:
    description: Name of the container that uses the files.
    type: str
  state_dir:
    description: Directory on the NAS where loopdeploy keeps its state.
    type: path
  timeout:
    description: Seconds the container may take until its health check passes.
    type: int
    default: 60
  socket:
    description: Path of the engine's socket.
    type: path
    default: /var/run/docker.sock
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
- name: Back up what loop-auth knows
  auth_backup:
    database: /volume1/LOOP_CORE/vault/LOOP/api/oauth/oauth.db
    keys: /volume1/LOOP_CORE/vault/LOOP/api/oauth/keys
    directory: /volume1/LOOP_CORE/loopdeploy/backups

- name: Bring the newest backup back
  auth_backup:
    database: /volume1/LOOP_CORE/vault/LOOP/api/oauth/oauth.db
    keys: /volume1/LOOP_CORE/vault/LOOP/api/oauth/keys
    directory: /volume1/LOOP_CORE/loopdeploy/backups
    state: restored
    backup: latest
    container: loop-auth
    state_dir: /volume1/LOOP_CORE/loopdeploy
"""

RETURN = r"""
backup:
  description: Name of the backup that was made; empty when there was nothing to back up.
  type: str
  returned: when O(state) is not V(healed)
restored:
  description: Name of the backup that was brought back.
  type: str
  returned: when O(state) is V(restored)
gap:
  description: Seconds that the container was away.
  type: float
  returned: when O(state) is V(restored), and when it failed and what was before was brought back
rolled_back:
  description: Whether the container runs with what it had before, after O(backup) did not work.
  type: bool
  returned: failure
healed:
  description: What was done, in sentences.
  type: list
  elements: str
  returned: when O(state) is V(healed)
"""


def main() -> None:
    """Do what the task asks for."""
    from ansible.module_utils.basic import AnsibleModule
    from ansible.module_utils.loop_backup import create
    from ansible.module_utils.loop_problem import Problem
    from ansible.module_utils.loop_problem import RolledBack
    from ansible.module_utils.loop_restore import heal
    from ansible.module_utils.loop_restore import restore

    module = AnsibleModule(
        argument_spec={
            "database": {"type": "path", "required": True},
            "keys": {"type": "path", "required": True, "no_log": False},
            "directory": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "restored", "healed"], "default": "present"},
            "keep": {"type": "int", "default": 5},
            "backup": {"type": "str"},
            "container": {"type": "str"},
            "state_dir": {"type": "path"},
            "timeout": {"type": "int", "default": 60},
            "socket": {"type": "path", "default": "/var/run/docker.sock"},
        },
        required_if=[
            ("state", "restored", ["backup", "container", "state_dir"]),
            ("state", "healed", ["container", "state_dir"]),
        ],
        supports_check_mode=True,
    )
    try:
        action = {"present": create, "restored": restore, "healed": heal}[module.params["state"]]
        module.exit_json(**action(module.params, module.check_mode))
    except RolledBack as problem:
        module.fail_json(msg=str(problem), gap=round(problem.gap, 2), rolled_back=True)
    except Problem as problem:
        module.fail_json(msg=str(problem), rolled_back=False)


if __name__ == "__main__":
    main()
