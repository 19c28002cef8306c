"""ansible-playbook as loopdeploy starts it."""

from __future__ import annotations

import atexit
import gc


def main() -> None:
    """Run ansible-playbook without the garbage collector, which costs a run of seconds 15 % of its time."""
    gc.disable()
    # Else the interpreter collects all of it on its way out.
    atexit.register(gc.freeze)
    from ansible.cli.playbook import main as ansible_playbook

    from loopdeploy.packing import keep_packed_modules
    from loopdeploy.routing import keep_routing

    keep_packed_modules()
    keep_routing()
    ansible_playbook()


if __name__ == "__main__":
    main()
