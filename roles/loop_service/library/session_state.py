#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read what signed-in users depend on, and see that it did not change."""

DOCUMENTATION = r"""
module: session_state
short_description: Read what signed-in users depend on, and see that it did not change
description:
  - Reads which container the authorization server is, when it started, the ids of the keys that it publishes, and
    those of the keys in its directory.
  - With O(before) it compares, and fails with a sentence that names what changed. When no key was published before,
    because the server did not run, the keys in its directory are compared.
  - Speaks to the engine's socket with the standard library alone and runs on Python 3.8.
options:
  container:
    description: Name of the authorization server's container.
    type: str
    required: true
  url:
    description: Where it publishes its keys, RFC 7517, as seen from the NAS.
    type: str
    required: true
  keys:
    description: Directory of its keys, C(SECONDS.ID.pem), C(SECONDS.ID.pub) or C(ID.pem).
    type: path
    required: true
  before:
    description: What this module returned before the change.
    type: dict
  touched:
    description: Whether the container was to be replaced or restarted; then only its keys must be the same.
    type: bool
    default: false
  meant:
    description: Whether its keys were to change; then nothing fails, and RV(lost) names what changed.
    type: bool
    default: false
  patient:
    description:
      - Wait for an engine that does not answer, as one that restarts in the middle of a verb. Before anything was begun
        its absence is told at once; with O(before) it is always waited for.
    type: bool
    default: false
  timeout:
    description: Seconds in which the same keys must be published again.
    type: int
    default: 10
  socket:
    description: Path of the engine's socket.
    type: path
    default: /var/run/docker.sock
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
- name: Read who is signed in
  session_state:
    container: loop-auth
    url: http://127.0.0.1:8084/.well-known/jwks.json
    keys: /volume1/LOOP_CORE/vault/LOOP/api/oauth/keys
  register: before

- name: See that they still are
  session_state:
    container: loop-auth
    url: http://127.0.0.1:8084/.well-known/jwks.json
    keys: /volume1/LOOP_CORE/vault/LOOP/api/oauth/keys
    before: "{{ before.sessions }}"
"""

RETURN = r"""
sessions:
  description:
    - C(id) and C(started) of the container, empty when it does not run, C(keys), the sorted ids of the keys that it
      publishes, empty when it does not answer, and C(files), those of its files. An id that says nothing of its key is
      followed by a part of the file's hash.
  type: dict
  returned: success
lost:
  description: Ids of the keys of O(before) that are gone.
  type: list
  elements: str
  returned: success
"""


def main() -> None:
    """Read, and compare."""
    from ansible.module_utils.basic import AnsibleModule
    from ansible.module_utils.loop_engine import PATIENCE
    from ansible.module_utils.loop_engine import Engine
    from ansible.module_utils.loop_problem import Problem
    from ansible.module_utils.loop_sessions import lost
    from ansible.module_utils.loop_sessions import read_sessions
    from ansible.module_utils.loop_sessions import require_same

    module = AnsibleModule(
        argument_spec={
            "container": {"type": "str", "required": True},
            "url": {"type": "str", "required": True},
            "keys": {"type": "path", "required": True, "no_log": False},
            "before": {"type": "dict"},
            "touched": {"type": "bool", "default": False},
            "meant": {"type": "bool", "default": False},
            "patient": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 10},
            "socket": {"type": "path", "default": "/var/run/docker.sock"},
        },
        supports_check_mode=True,
    )
    params = module.params
    engine = Engine(params["socket"], PATIENCE if params["patient"] or params["before"] is not None else 0)
    try:
        if params["before"] is None or module.check_mode:
            module.exit_json(changed=False, sessions=read_sessions(engine, params), lost=[])
        sessions = require_same(engine, params)
        module.exit_json(changed=False, sessions=sessions, lost=lost(params["before"], sessions))
    except Problem as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
