"""The engine of a NAS, over its socket and with the standard library alone: DSM's Python 3.8 has no more."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any


class Problem(Exception):
    """What keeps the NAS from taking the deployment, as a sentence for the operator."""


class EngineConnection(http.client.HTTPConnection):
    """HTTP over the engine's UNIX socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def engine_get(path: str, url: str) -> Any:
    """Return what the engine behind the socket at ``path`` answers to ``url``, None for a 404; else raise a Problem."""
    connection = EngineConnection(path)
    try:
        connection.request("GET", url)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise Problem(
            f"The Docker engine does not answer at {path} ({error}): start Container Manager in DSM's Package Center."
        ) from error
    finally:
        connection.close()
    if response.status == 404:
        return None
    if response.status != 200:
        raise Problem(f"The engine answers {url} with {response.status}: {body.decode(errors='replace').strip()}")
    try:
        return json.loads(body)
    except ValueError as error:
        raise Problem(f"What answers at {path} is not the Docker engine: correct the path of its socket.") from error
