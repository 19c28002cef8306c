"""loop-api: a markdown vault over MCP."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

VAULT = Path(os.environ["VAULT_DIR"])
PUBLIC_HOST = urlsplit(os.environ["OAUTH_ISSUER"]).netloc

mcp = MCPServer("loop")


@mcp.tool()
def list_notes() -> list[str]:
    """List the markdown notes of the vault, hidden directories left out."""
    notes = (note.relative_to(VAULT) for note in VAULT.rglob("*.md"))
    return sorted(str(note) for note in notes if not any(part.startswith(".") for part in note.parts))


# Stateless with JSON replies: a client that was connected before a restart goes on after it.
mcp_app = mcp.streamable_http_app(
    streamable_http_path="/mcp",
    stateless_http=True,
    json_response=True,
    transport_security=TransportSecuritySettings(
        allowed_hosts=[PUBLIC_HOST, "127.0.0.1:*", "localhost:*"],
        allowed_origins=[os.environ["OAUTH_ISSUER"]],
    ),
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Run the MCP sessions as long as the server runs; a mounted app's own lifespan is never started."""
    async with mcp.session_manager.run():
        yield


app = FastAPI(title="loop-api", lifespan=lifespan)


@app.get("/health")
def health() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok", "service": "loop-api"}


app.mount("/", mcp_app)
