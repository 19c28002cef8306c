"""A tool that takes its time: what is under way when loop-api is told to stop."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp.server import MCPServer


def add_dawdle(server: MCPServer[Any]) -> MCPServer[Any]:
    """Return ``server`` with the tool ``dawdle``."""

    @server.tool()
    async def dawdle(seconds: float) -> str:
        """Answer after so many seconds."""
        await asyncio.sleep(seconds)
        return "done"

    return server
