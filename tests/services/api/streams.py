"""An HTTP+SSE session by hand: what an older client holds open."""

from __future__ import annotations

import json
import queue
import socket
import threading
from typing import Any

import httpx2

from tests.services.api.service import Client


class Stream:
    """The stream of ``client``'s GET, read in the background; ``path`` is where its messages go."""

    def __init__(self, client: Client):
        self._client = client
        self._events: queue.Queue[tuple[str, str]] = queue.Queue()
        self._response = client.send(
            client.build_request("GET", "/mcp", headers={"Accept": "text/event-stream"}), stream=True
        )
        assert self._response.status_code == 200, self._response.read()
        self._socket = self._response.extensions["network_stream"].get_extra_info("socket")
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        event, self.path = self.event()
        assert event == "endpoint"

    def close(self) -> None:
        """Hang up."""
        if not self.ended.is_set():
            # The reader waits in it.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        assert not self._thread.is_alive()
        self._response.close()

    def event(self) -> tuple[str, str]:
        """Return the next event and its data."""
        return self._events.get(timeout=10)

    def rpc(self, method: str, client: Client | None = None, **params: Any) -> dict[str, Any]:
        """Return the answer to a request, sent by ``client`` when that is another one."""
        message = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        assert (client or self._client).post(self.path, json=message).status_code == 202
        return dict(json.loads(self.event()[1]))

    def initialize(self) -> dict[str, Any]:
        """Do the handshake."""
        params: dict[str, Any] = {
            "protocolVersion": "2024-11-05",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        }
        answer = self.rpc("initialize", None, **params)
        message = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert self._client.post(self.path, json=message).status_code == 202
        return answer

    def _read(self) -> None:
        event = ""
        try:
            for line in self._response.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "data":
                    self._events.put((event, value))
        except httpx2.HTTPError:
            pass  # The server went away.
        self.ended.set()
