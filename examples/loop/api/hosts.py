"""Refuses requests under another name than our own: the guard against DNS rebinding."""

from __future__ import annotations

from urllib.parse import SplitResult
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp
from starlette.types import Receive
from starlette.types import Scope
from starlette.types import Send

# The container's health check, and whoever tries the services on one machine.
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
DEFAULT_PORTS = {"https": 443, "http": 80}


class HostGuard:
    """Lets ``issuer``'s host and loopback through: else 421 for the Host, 403 for the Origin.

    Pages of an allowed origin may read the answers (CORS): a browser client needs that.
    """

    def __init__(self, app: ASGIApp, issuer: str):
        self._public = urlsplit(issuer)
        # Any origin, since a foreign one never gets that far.
        self._app = CORSMiddleware(
            app,
            allow_origins=["*"],
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["Mcp-Protocol-Version", "Retry-After", "WWW-Authenticate"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        refused = self._refuse(Headers(scope=scope)) if scope["type"] == "http" else None
        await (refused or self._app)(scope, receive, send)

    def allows_origin(self, origin: str) -> bool:
        """Tell whether a page of ``origin`` may call us."""
        parts = _split(origin)
        if parts is None or parts.scheme not in DEFAULT_PORTS or parts.path or parts.query:
            return False
        return parts.hostname in LOOPBACK or (parts.scheme == self._public.scheme and self._is_public(parts))

    def _refuse(self, headers: Headers) -> JSONResponse | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._allows_host(hosts[0]):
            return _refusal(421, "bad_host", f"This server is {self._public.netloc}; ask it under that name.")
        # Absent for all but browsers (MCP, transports).
        origin = headers.get("origin")
        if origin is not None and not self.allows_origin(origin):
            return _refusal(403, "bad_origin", "Pages of this origin may not call this server.")
        return None

    def _allows_host(self, host: str) -> bool:
        parts = _split(f"{self._public.scheme}://{host}")
        if parts is None or parts.netloc != host or parts.username is not None:
            return False
        return parts.hostname in LOOPBACK or self._is_public(parts)

    def _is_public(self, parts: SplitResult) -> bool:
        default = DEFAULT_PORTS[self._public.scheme]
        same_port = (parts.port or default) == (self._public.port or default)
        return parts.hostname == self._public.hostname and same_port


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        # Asking for a port that is none raises.
        return parts if parts.port != 0 else None
    except ValueError:
        return None


def _refusal(status: int, error: str, description: str) -> JSONResponse:
    return JSONResponse({"error": error, "error_description": description}, status)
