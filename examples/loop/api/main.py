"""loop-api: a markdown vault over MCP and REST, for whoever holds a token of loop-auth."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator

from fastapi import FastAPI

from api.bearer import BearerAuth
from api.challenge import Challenger
from api.hosts import HostGuard
from api.jwks import Keys
from api.metadata import metadata_router
from api.models.entities import Health
from api.notes import Notes
from api.problems import add_problem_handlers
from api.rest import rest_router
from api.settings import Settings
from api.settings import SettingsError
from api.tokens import TokenVerifier
from api.tools import VERSION
from api.tools import mcp_server
from api.transports import Transports
from api.vault import Vault

# A note of 1 MiB with every letter escaped in JSON.
MAX_BODY_BYTES = 6 * 1024 * 1024 + 4096

logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")


def create_app(settings: Settings) -> FastAPI:
    """Return loop-api over the vault and issuer in ``settings``."""
    keys = Keys(settings.jwks_url, settings.jwks_file)
    notes = Notes(Vault(settings.vault, settings.exec_vault), settings.issuer)
    server = mcp_server(notes)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        keys.load()
        notes.start()
        refresh = asyncio.create_task(keys.refresh_for_ever())
        # A mounted app's own lifespan is never started.
        async with server.session_manager.run():
            yield
        refresh.cancel()
        notes.close()

    app = FastAPI(
        title="loop-api",
        version=VERSION,
        lifespan=lifespan,
        max_body_size=MAX_BODY_BYTES,
        # A redirect breaks connectors; and the pages of documentation load scripts from elsewhere.
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )

    @app.get("/health", tags=["health"])
    async def health() -> Health:
        """Say that the process answers, and what it knows of loop-auth's keys."""
        return Health(jwks=keys.state)

    app.include_router(metadata_router(settings))
    app.include_router(rest_router(notes, settings.issuer))
    app.router.routes.extend(Transports(server).routes())
    add_problem_handlers(app)
    # The last one added is the first one asked.
    verifier = TokenVerifier(keys, settings.issuer, settings.resource)
    app.add_middleware(BearerAuth, verifier=verifier, challenger=Challenger(settings.issuer))
    app.add_middleware(HostGuard, issuer=settings.issuer)
    return app


def _app_from_environment() -> FastAPI:
    try:
        return create_app(Settings.from_environment(os.environ))
    except SettingsError as error:
        sys.exit(f"loop-api does not start: {error}")


app = _app_from_environment()
