"""The lookup that gives a port of this machine that is free."""

from __future__ import annotations

import socket

from ansible.plugins.lookup import LookupBase

DOCUMENTATION = """
name: free_port
author: loopdeploy (@loopdeploy)
short_description: A free port on 127.0.0.1
description: Returns each wanted port when it is free on 127.0.0.1, else one that the system chooses.
options:
  _terms:
    description: The wanted ports.
    required: true
"""


def free_port(wanted: int) -> int:
    """Return ``wanted`` when nothing listens there on 127.0.0.1, else a port that the system chooses."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("127.0.0.1 has no free port")


class LookupModule(LookupBase):
    """The lookup of this file, as Ansible looks for it."""

    def run(self, terms: list[int], variables: object = None, **options: object) -> list[int]:
        """Return a free port for each of ``terms``."""
        return [free_port(int(wanted)) for wanted in terms]
