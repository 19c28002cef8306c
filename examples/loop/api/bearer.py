"""Lets a request to the vault through when its token allows it."""

from __future__ import annotations

from contextvars import ContextVar

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.authentication import AuthCredentials
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp
from starlette.types import Message
from starlette.types import Receive
from starlette.types import Scope
from starlette.types import Send

from api.challenge import Challenger
from api.jwks import KeysUnavailable
from api.scopes import ALL
from api.scopes import READ
from api.tokens import InvalidToken
from api.tokens import TokenVerifier

PROTECTED = ("/mcp", "/api")

# Scopes that a tool found missing while it ran; read when its answer starts.
_missing_scopes: ContextVar[list[str] | None] = ContextVar("missing_scopes", default=None)


def granted_scopes() -> frozenset[str]:
    """Return what the token of the request being served allows."""
    token = get_access_token()
    return frozenset(token.scopes if token else ()) & frozenset(ALL)


def ask_for_scope(scope: str) -> None:
    """Turn the answer to the request being served into 403 with a challenge for ``scope``."""
    missing = _missing_scopes.get()
    if missing is not None:
        missing.append(scope)


class BearerAuth:
    """Asks for a token on ``PROTECTED`` paths; everything else passes."""

    def __init__(self, app: ASGIApp, verifier: TokenVerifier, challenger: Challenger):
        self._app = app
        self._with_token = AuthContextMiddleware(app)
        self._verifier = verifier
        self._challenger = challenger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http" or not _is_protected(scope["path"]):
            await self._app(scope, receive, send)
            return
        judged = await self._judge(Headers(scope=scope))
        if isinstance(judged, JSONResponse):
            await judged(scope, receive, send)
            return
        scope["user"] = AuthenticatedUser(judged)
        scope["auth"] = AuthCredentials(judged.scopes)
        missing: list[str] = []
        marker = _missing_scopes.set(missing)
        try:
            await self._with_token(scope, receive, self._challenging(judged, missing, scope, receive, send))
        finally:
            _missing_scopes.reset(marker)

    async def _judge(self, headers: Headers) -> AccessToken | JSONResponse:
        """Return the token of a request, or the answer to a request without a good one."""
        credentials = headers.getlist("authorization")
        if len(credentials) > 1:
            return self._challenger.invalid_request("There is more than one Authorization header")
        scheme, _, token = (credentials[0] if credentials else "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return self._challenger.sign_in()
        try:
            access = await self._verifier.verify(token.strip())
        except InvalidToken as error:
            return self._challenger.invalid_token(str(error))
        except KeysUnavailable:
            return self._challenger.no_keys()
        if READ not in access.scopes:
            return self._challenger.insufficient_scope(_known(access), READ)
        return access

    def _challenging(self, access: AccessToken, missing: list[str], scope: Scope, receive: Receive, send: Send) -> Send:
        """Return a ``send`` that replaces the answer of a tool that found a scope missing."""
        replaced = False

        async def challenge_or_send(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and missing:
                replaced = True
                await self._challenger.insufficient_scope(_known(access), missing[0])(scope, receive, send)
            elif not replaced:
                await send(message)

        return challenge_or_send


def _known(access: AccessToken) -> list[str]:
    return [scope for scope in ALL if scope in access.scopes]


def _is_protected(path: str) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in PROTECTED)
