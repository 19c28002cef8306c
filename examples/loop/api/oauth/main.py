"""loop-auth: the OAuth 2.1 authorization server before loop-api."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp
from starlette.types import Receive
from starlette.types import Scope
from starlette.types import Send

from api.oauth.authorization import authorize
from api.oauth.database import DatabaseUnavailable
from api.oauth.discovery import health
from api.oauth.discovery import jwks
from api.oauth.discovery import metadata
from api.oauth.key_files import KeyTrouble
from api.oauth.messages import TooLarge
from api.oauth.messages import reply
from api.oauth.pages import page
from api.oauth.registration import register
from api.oauth.service import Service
from api.oauth.settings import HOUR
from api.oauth.settings import Settings
from api.oauth.settings import read_settings
from api.oauth.tokens import revoke
from api.oauth.tokens import token

log = logging.getLogger("loop-auth")

ROUTES = [
    Route("/health", health),
    Route("/authorize", authorize, methods=["GET", "POST"]),
    Route("/.well-known/oauth-authorization-server", metadata),
    Route("/.well-known/jwks.json", jwks),
    Route("/token", token, methods=["POST"]),
    Route("/register", register, methods=["POST"]),
    Route("/revoke", revoke, methods=["POST"]),
]
#: Open to programs in browsers on any site: nothing there goes by a cookie.
OPEN = {route.path for route in ROUTES} - {"/authorize", "/health"}


class OpenToBrowsers:
    """CORS on the routes that are open."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.open = CORSMiddleware(app, allow_origins=["*"], allow_methods=["GET", "POST"], allow_headers=["*"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        await (self.open if scope.get("path") in OPEN else self.app)(scope, receive, send)


def create_app(settings: Settings | None = None) -> Starlette:
    """Return the service, or exit with a sentence when its settings or keys cannot be used."""
    settings = settings or read_settings()
    os.umask(0o077)
    logging.basicConfig(format="%(levelname)s: %(message)s")
    log.setLevel(logging.INFO)
    # At a lower level it writes tokens.
    logging.getLogger("authlib").setLevel(logging.WARNING)
    service = Service(settings)
    try:
        service.keys.prepare()
    except KeyTrouble as error:
        raise SystemExit(str(error)) from error
    app = Starlette(
        routes=ROUTES,
        middleware=[Middleware(OpenToBrowsers)],
        exception_handlers={
            DatabaseUnavailable: _unavailable,
            TooLarge: _too_large,
            HTTPException: _http_error,
        },
        lifespan=_lifespan,
    )
    app.state.service = service
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    """Prune and retire each hour, and first at the start."""
    async with anyio.create_task_group() as group:
        group.start_soon(_maintain, app.state.service)
        yield
        group.cancel_scope.cancel()
    app.state.service.database.close()


async def _maintain(service: Service) -> None:
    while True:
        await run_sync(service.maintain, abandon_on_cancel=True)
        await anyio.sleep(HOUR)


async def _unavailable(request: Request, error: Exception) -> Response:
    """Say that it is not the client's fault and will pass: nothing was written, the same request may come again."""
    log.error("%s", error)
    retry = {"Retry-After": "5"}
    if request.url.path == "/authorize":
        response: Response = page("error.html", 503, message="This service is out of order for a moment.", action="")
    else:
        body = {"error": "temporarily_unavailable", "error_description": "The database cannot be used for now."}
        response = reply(503, body, [])
    response.headers.update(retry)
    return response


async def _too_large(request: Request, error: Exception) -> Response:
    return reply(413, {"error": "invalid_request", "error_description": "The request is too large."}, [])


async def _http_error(request: Request, error: Exception) -> Response:
    """Answer what no route takes, as JSON like the rest."""
    assert isinstance(error, HTTPException)
    body = {"error": "invalid_request", "error_description": error.detail}
    return reply(error.status_code, body, list((error.headers or {}).items()))
