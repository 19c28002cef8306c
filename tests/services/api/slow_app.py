"""loop-api with one more tool, which takes its time: what is under way when the server is told to stop."""

from __future__ import annotations

import asyncio
import os
from typing import Any
from unittest.mock import patch

from api import main
from api.notes import Notes
from api.settings import Settings
from api.tools import mcp_server
from mcp.server import MCPServer


def slow_mcp_server(notes: Notes) -> MCPServer[Any]:
    """Return the real server with the tool ``dawdle``."""
    server = mcp_server(notes)

    @server.tool()
    async def dawdle(seconds: float) -> str:
        """Answer after so many seconds."""
        await asyncio.sleep(seconds)
        return "done"

    return server


with patch.object(main, "mcp_server", slow_mcp_server):
    app = main.create_app(Settings.from_environment(os.environ))
