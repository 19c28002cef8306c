"""The vault as a REST API."""

from __future__ import annotations

from typing import Annotated
from typing import Any

from fastapi import APIRouter
from fastapi import HTTPException
from fastapi import Query
from fastapi import Response
from fastapi import Security
from fastapi.security import OAuth2AuthorizationCodeBearer

from api.bearer import granted_scopes
from api.models.entities import NewText
from api.models.entities import Note
from api.models.entities import NoteList
from api.models.entities import Problem
from api.models.entities import SearchResults
from api.models.entities import Written
from api.notes import Notes
from api.scopes import EXEC
from api.scopes import READ
from api.scopes import WRITE

SCOPES = {
    READ: "Read and search notes",
    WRITE: "Write notes",
    EXEC: "Read the notes below exec/ too",
}

OTHER_METHODS = ("DELETE", "HEAD", "OPTIONS", "PATCH", "POST", "TRACE")


def rest_router(notes: Notes, issuer: str) -> APIRouter:
    """Return the routes below ``/api``; BearerAuth asks for the token, the scheme here only documents that."""
    router = APIRouter(prefix="/api", tags=["notes"], responses=_problems(400, 401, 403, 404, 422, 503))
    token = OAuth2AuthorizationCodeBearer(f"{issuer}/authorize", f"{issuer}/token", scopes=SCOPES, auto_error=False)
    may_read = [Security(token, scopes=[READ])]
    may_write = [Security(token, scopes=[WRITE])]

    @router.get("/notes", dependencies=may_read)
    def list_notes(
        folder: Annotated[str, Query(description="Folder of the vault; empty for all of it")] = "",
        after: Annotated[str, Query(description="`next_after` of the page before")] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> NoteList:
        """List notes by path, a page at a time."""
        return notes.list(folder, after, limit, granted_scopes())

    @router.get("/search", dependencies=may_read)
    def search(
        q: Annotated[str, Query(max_length=1000, description="Words that the note holds, in any order")],
        limit: Annotated[int, Query(ge=1, le=50)] = 10,
    ) -> SearchResults:
        """Search notes, best first."""
        return notes.search(q, limit, granted_scopes())

    @router.get("/notes/{path:path}", dependencies=may_read, responses=_problems(413))
    def read_note(path: str) -> Note:
        """Read a note."""
        return notes.read(path, granted_scopes())

    @router.put(
        "/notes/{path:path}",
        dependencies=may_write,
        responses={201: {"model": Written, "description": "Made"}, **_problems(409, 413, 507)},
    )
    def write_note(path: str, new: NewText, response: Response) -> Written:
        """Make a note, or replace the whole text of one."""
        written = notes.write(path, new.text, new.version, granted_scopes())
        response.status_code = 201 if written.created else 200
        return written

    @router.api_route("/notes/{path:path}", methods=list(OTHER_METHODS), include_in_schema=False)
    def other_method(path: str) -> None:
        """Name both methods (RFC 9110 section 10.2.1): the router by itself names the first route's alone."""
        raise HTTPException(405, headers={"Allow": "GET, PUT"})

    return router


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem} for status in statuses}
