"""Adds a token to every request: for checkers that cannot send one. loop-api itself has no way to do without."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Any


class TokenProxy:
    """Listens on a port of its own and passes all to ``port``, Host and Origin as they came."""

    def __init__(self, port: int, token: str):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(port, token))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> TokenProxy:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(port: int, token: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "authorization"):
                    connection.putheader(name, value)
            connection.putheader("Authorization", f"Bearer {token}")
            connection.endheaders(body)
            self._answer(connection.getresponse())
            connection.close()

        do_GET = do_POST
        do_DELETE = do_POST
        do_OPTIONS = do_POST

        def _answer(self, response: http.client.HTTPResponse) -> None:
            """Pass the answer on as it comes; its end is the connection's."""
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.end_headers()
            try:
                while chunk := response.read1(65536):
                    self.wfile.write(chunk)
                    self.wfile.flush()
            except OSError:
                return  # One side hung up.

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler
