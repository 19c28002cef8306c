"""One URL for every MCP client: Streamable HTTP of both eras, and HTTP+SSE for the older ones."""

from __future__ import annotations

from typing import Any

from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.datastructures import Headers
from starlette.routing import Route
from starlette.types import ASGIApp
from starlette.types import Message
from starlette.types import Receive
from starlette.types import Scope
from starlette.types import Send

MCP_PATH = "/mcp"
MESSAGES_PATH = "/mcp/messages/"
# HostGuard stands before everything and answers better.
UNGUARDED = TransportSecuritySettings(enable_dns_rebinding_protection=False)


class Transports:
    """Serves ``server`` below ``/mcp``.

    Streamable HTTP is stateless with JSON answers: a client goes on after a restart, and a call that is under way
    when the server stops is still answered. An HTTP+SSE session lives in this process; its old id gets 404.
    """

    def __init__(self, server: MCPServer[Any]):
        self._streamable: ASGIApp = server.streamable_http_app(
            streamable_http_path=MCP_PATH, stateless_http=True, json_response=True, transport_security=UNGUARDED
        )
        self._sse: ASGIApp = server.sse_app(sse_path=MCP_PATH, message_path=MESSAGES_PATH, transport_security=UNGUARDED)

    def routes(self) -> list[Route]:
        """Return the routes to serve, all methods: what the SDK does not take, it refuses itself."""
        return [Route(MCP_PATH, self), Route(f"{MCP_PATH}/{{rest:path}}", self)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection; a final slash is taken as none, since a redirect breaks connectors."""
        if scope["path"] == f"{MCP_PATH}/":
            scope = {**scope, "path": MCP_PATH, "raw_path": MCP_PATH.encode()}
        ending = _Ending(send)
        await (self._sse if _is_sse(scope) else self._streamable)(scope, receive, ending.send)
        await ending.finish()


class _Ending:
    """Ends a stream that the server's stop cut short in good order.

    The SDK leaves it open, or starts a second answer behind it; either way uvicorn would log an error for each.
    """

    def __init__(self, send: Send):
        self._send = send
        self._started = False
        self._finished = False

    async def send(self, message: Message) -> None:
        """Pass ``message`` on, unless it begins a second answer."""
        if message["type"] == "http.response.start":
            if self._started:
                await self.finish()
                return
            self._started = True
        if not self._finished:
            self._finished = message["type"] == "http.response.body" and not message.get("more_body", False)
            await self._send(message)

    async def finish(self) -> None:
        """Say that nothing more comes."""
        if self._started and not self._finished:
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})


def _is_sse(scope: Scope) -> bool:
    """Tell whether this is an HTTP+SSE client: it opens its stream with a bare GET, and posts beside it."""
    if scope["path"].startswith(MESSAGES_PATH):
        return True
    headers = Headers(scope=scope)
    return scope["method"] == "GET" and "mcp-session-id" not in headers and "mcp-protocol-version" not in headers
