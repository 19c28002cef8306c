"""A small reverse proxy: what stands before the services on a NAS, in plain HTTP or with a certificate."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Callable
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

Route = Callable[[str], int]

HOP_BY_HOP = ("connection", "transfer-encoding")


class Proxy:
    """Listens on a port of its own and passes each request to the port that ``route`` gives for its path.

    Host and Origin pass as they came; ``headers`` replace those of their names: a checker that cannot send a token
    gets one here. ``certificate`` holds a certificate and its key. With ``trust`` the port is asked over TLS.
    """

    def __init__(
        self,
        route: Route,
        headers: Mapping[str, str] | None = None,
        certificate: Path | None = None,
        trust: ssl.SSLContext | None = None,
    ):
        self._server = _Server(("127.0.0.1", 0), _handler(route, headers or {}, trust))
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # Each thread shakes hands itself: a browser that connects ahead of its needs must not hold up others.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that hangs up, or that looks at the certificate first."""


def _connect(port: int, trust: ssl.SSLContext | None) -> http.client.HTTPConnection:
    if trust:
        return http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=trust)
    return http.client.HTTPConnection("127.0.0.1", port, timeout=30)


def _handler(route: Route, added: Mapping[str, str], trust: ssl.SSLContext | None) -> type[BaseHTTPRequestHandler]:
    replaced = {*HOP_BY_HOP, "x-forwarded-for", *(name.lower() for name in added)}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            connection = _connect(route(urlsplit(self.path).path), trust)
            try:
                self._ask(connection, body)
                response = connection.getresponse()
            except OSError:
                self.send_error(502, "Bad Gateway")
            else:
                self._answer(response)
            finally:
                connection.close()

        do_GET = do_POST
        do_PUT = do_POST
        do_DELETE = do_POST
        do_OPTIONS = do_POST

        def _ask(self, connection: http.client.HTTPConnection, body: bytes) -> None:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            kept = [(name, value) for name, value in self.headers.items() if name.lower() not in replaced]
            for name, value in [*kept, *added.items(), ("X-Forwarded-For", str(self.client_address[0]))]:
                connection.putheader(name, value)
            connection.endheaders(body)

        def _answer(self, response: http.client.HTTPResponse) -> None:
            """Pass the answer on as it comes; its end is the connection's."""
            self.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.end_headers()
            try:
                while chunk := response.read1(65536):
                    self.wfile.write(chunk)
                    self.wfile.flush()
            except (OSError, http.client.HTTPException):
                return  # One side hung up.

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    return Handler
