"""The filter that gives a port of this machine that is free."""

from __future__ import annotations

import socket
from collections.abc import Collection


def free_port(wanted: int | str, held: Collection[str] = ()) -> int:
    """Return ``wanted`` when it is free on 127.0.0.1 or one of those ``held``, else a port that the system chooses.

    Raises OSError when there is no free port at all.
    """
    if str(wanted) in held:
        return int(wanted)
    try:
        return _bound_port(int(wanted))
    except OSError:
        return _bound_port(0)


def _bound_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return int(probe.getsockname()[1])


class FilterModule:
    """The filters of this file, as Ansible looks for them."""

    def filters(self) -> dict[str, object]:
        """Return each filter by its name."""
        return {"free_port": free_port}
