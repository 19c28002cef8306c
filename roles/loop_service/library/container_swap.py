#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Put one container in another one's place, or everything back."""

DOCUMENTATION = r"""
module: container_swap
short_description: Put one container in another one's place, or everything back
description:
  - Stops the container O(name), keeps it as C(NAME-previous), and starts C(NAME-next) as O(name), all in one process
    on the NAS, so that a cut line or a killed controller cannot leave it half done.
  - Waits until the new container's own health check passes and the engine calls it healthy; when it does not, the old
    container is put back, and the module fails.
  - Writes each replacement into O(state_dir) first, so that the next run finishes or undoes what a power cut left.
  - Speaks to the engine's socket with the standard library alone and runs on Python 3.8.
options:
  name:
    description: Name of the container that serves.
    type: str
    required: true
  state:
    description:
      - V(swapped) puts C(NAME-next) in the place of O(name).
      - V(rolled_back) puts C(NAME-previous) there, and keeps the container that ran as C(NAME-previous).
      - V(healed) finishes or undoes what an interrupted run left, and removes what it did not need.
    type: str
    choices: [swapped, rolled_back, healed]
    default: swapped
  state_dir:
    description: Directory on the NAS where loopdeploy keeps its state.
    type: path
    required: true
  image:
    description:
      - Id or name of the image that the new container must run. One of another image is refused before anything is
        touched, and what runs afterwards is compared with it. Without it the new container's own is taken.
    type: str
  latest:
    description: Name and tag that mean the image of the new container once it serves.
    type: str
  unproved:
    description:
      - Name and tag of the new container's image which it loses when it does not work, because nothing served by that
        name yet.
    type: str
  down:
    description:
      - What V(healed) makes of an old container that does not start any more.
      - V(failed) fails, and so does the next run, until it starts.
      - V(kept) tells it and leaves it to the next run, for a run that first builds what is to replace it.
      - V(given_up) leaves it stopped in its place, for a run that replaces it now.
    type: str
    choices: [failed, kept, given_up]
    default: failed
  restart_policy:
    description:
      - Restart policy of the new container once it serves; without it that of the old one, or V(unless-stopped).
      - Until then a reboot brings back the old one, so C(NAME-next) is to be made with V(no).
    type: str
  timeout:
    description: Seconds a container may take until its health check passes.
    type: int
    default: 60
  socket:
    description: Path of the engine's socket.
    type: path
    default: /var/run/docker.sock
attributes:
  check_mode:
    description: Says whether it would change something, and changes nothing.
    support: full
  diff_mode:
    description: Has nothing to show.
    support: none
author: loopdeploy (@loopdeploy)
"""

EXAMPLES = r"""
- name: Put the new loop-api in place
  container_swap:
    name: loop-api
    latest: loop-api:latest
    restart_policy: unless-stopped
    state_dir: /volume1/LOOP_CORE/loopdeploy

- name: Start the kept container again
  container_swap:
    name: loop-api
    state: rolled_back
    state_dir: /volume1/LOOP_CORE/loopdeploy
"""

RETURN = r"""
gap:
  description: Seconds from stopping the old container until the new one, or on failure the old one, answered.
  type: float
  returned: when O(state) is not V(healed)
before:
  description: Release that ran before.
  type: str
  returned: when O(state) is not V(healed)
after:
  description: Release that runs now.
  type: str
  returned: when O(state) is not V(healed)
image:
  description: Id of the image that runs now, as the engine tells it afterwards.
  type: str
  returned: when O(state) is not V(healed)
rolled_back:
  description: Whether what ran before runs again.
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
    from ansible.module_utils.loop_heal import heal
    from ansible.module_utils.loop_problem import Problem
    from ansible.module_utils.loop_problem import RolledBack
    from ansible.module_utils.loop_swap import replace

    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["swapped", "rolled_back", "healed"], "default": "swapped"},
            "state_dir": {"type": "path", "required": True},
            "image": {"type": "str"},
            "latest": {"type": "str"},
            "unproved": {"type": "str"},
            "down": {"type": "str", "choices": ["failed", "kept", "given_up"], "default": "failed"},
            "restart_policy": {"type": "str"},
            "timeout": {"type": "int", "default": 60},
            "socket": {"type": "path", "default": "/var/run/docker.sock"},
        },
        supports_check_mode=True,
    )
    try:
        work = heal if module.params["state"] == "healed" else replace
        module.exit_json(**work(module.params, module.check_mode))
    except RolledBack as problem:
        module.fail_json(msg=str(problem), gap=problem.gap, rolled_back=True)
    except Problem as problem:
        module.fail_json(msg=str(problem), rolled_back=False)


if __name__ == "__main__":
    main()
