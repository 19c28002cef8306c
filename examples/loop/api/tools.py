"""The vault as MCP tools."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from typing import Any
from typing import TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

from api.bearer import ask_for_scope
from api.bearer import granted_scopes
from api.errors import NoteError
from api.errors import ScopeMissing
from api.models.entities import Document
from api.models.entities import Note
from api.models.entities import NoteList
from api.models.entities import SearchResults
from api.models.entities import Written
from api.notes import Notes

Result = TypeVar("Result")

READ_ONLY = ToolAnnotations(read_only_hint=True, open_world_hint=False)
REPLACES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)
VERSION = "1.0"
INSTRUCTIONS = "A vault of markdown notes. Search or list it, then read notes by their path."

Path = Annotated[str, Field(description="Path of a note inside the vault, such as projects/loop.md")]
Limit = Annotated[int, Field(ge=1, le=1000, description="At most so many")]


def mcp_server(notes: Notes) -> MCPServer[Any]:
    """Return the MCP server whose tools work on ``notes`` with the scopes of each call's token."""
    server: MCPServer[Any] = MCPServer(
        "loop",
        title="LOOP vault",
        version=VERSION,
        instructions=INSTRUCTIONS,
        # Its own line for each request would drown what matters.
        log_level="WARNING",
        # The tools never change: nothing to listen to, and no stream that a stop would have to wait for.
        subscriptions=False,
    )

    @server.tool(name="list", title="List notes", annotations=READ_ONLY)
    def list_notes(
        folder: Annotated[str, Field(description="Folder of the vault; empty for all of it")] = "",
        after: Annotated[str, Field(description="next_after of the page before")] = "",
        limit: Limit = 200,
    ) -> NoteList:
        """List the notes of the vault by path, a page at a time."""
        return _answer(notes.list, folder, after, limit)

    @server.tool(title="Search notes", annotations=READ_ONLY)
    def search(
        query: Annotated[str, Field(max_length=1000, description="Words that the note holds, in any order")],
        limit: Annotated[int, Field(ge=1, le=50, description="At most so many")] = 10,
    ) -> SearchResults:
        """Search the vault; each result's id is the note's path, for fetch or read."""
        return _answer(notes.search, query, limit)

    @server.tool(title="Fetch a search result", annotations=READ_ONLY)
    def fetch(id: Annotated[str, Field(description="The id of a search result")]) -> Document:
        """Return the whole note that a search found."""
        return _answer(notes.fetch, id)

    @server.tool(title="Read a note", annotations=READ_ONLY)
    def read(path: Path) -> Note:
        """Return a note with its version, which a later write can give back."""
        return _answer(notes.read, path)

    @server.tool(title="Write a note", annotations=REPLACES)
    def write(
        path: Path,
        text: Annotated[str, Field(description="The whole note, in markdown")],
        version: Annotated[
            str | None, Field(description="The version that was read: nothing is written when it changed since")
        ] = None,
    ) -> Written:
        """Make a note, or replace the whole text of one."""
        return _answer(notes.write, path, text, version)

    return server


def _answer(function: Callable[..., Result], *arguments: object) -> Result:
    """Return what ``function`` says to this call's token; raises ToolError with a sentence for the model."""
    try:
        return function(*arguments, granted_scopes())
    except ScopeMissing as error:
        ask_for_scope(error.scope)
        raise ToolError(str(error)) from error
    except NoteError as error:
        raise ToolError(str(error)) from error
