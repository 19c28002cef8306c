"""What goes in and out of loop-api, over REST and MCP alike; OpenAPI and the tools' schemas are made from these."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field


class NoteEntry(BaseModel):
    """A note in a listing."""

    path: str = Field(description="Path inside the vault; read it under this name", examples=["projects/loop.md"])
    title: str = Field(description="First heading of the note, or its file name")
    size: int = Field(description="Bytes")
    modified: float = Field(description="When it was last changed, in seconds since 1970 (UTC)")


class NoteList(BaseModel):
    """One page of a listing, sorted by path."""

    notes: list[NoteEntry]
    next_after: str | None = Field(description="Give this as `after` for the next page; null on the last one")


class SearchResult(BaseModel):
    """A note that matches; `id` is its path."""

    id: str
    title: str
    url: str
    snippet: str = Field(description="Where in the note the words stand")


class SearchResults(BaseModel):
    """Notes that match, best first."""

    results: list[SearchResult]


class Note(BaseModel):
    """A note as it is."""

    path: str
    title: str
    text: str
    size: int = Field(description="Bytes")
    modified: float = Field(description="When it was last changed, in seconds since 1970 (UTC)")
    version: str = Field(description="Changes with the text; give it back when writing, so that no change is lost")


class Document(BaseModel):
    """A note as ChatGPT's `fetch` expects it."""

    id: str
    title: str
    text: str
    url: str
    metadata: dict[str, str]


class NewText(BaseModel):
    """What a note shall hold."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(description="The whole note, markdown in UTF-8, at most 1 MiB")
    version: str | None = Field(
        default=None, description="The `version` that was read; when the note changed since, nothing is written"
    )


class Written(BaseModel):
    """A note after it was written."""

    path: str
    version: str
    created: bool = Field(description="Whether there was no such note before")


class Problem(BaseModel):
    """Why a request was not carried out."""

    error: str = Field(description="For programs", examples=["not_found"])
    error_description: str = Field(description="For people: what happened and what to do next")


class Health(BaseModel):
    """Whether loop-api is alive, and what it knows of loop-auth's keys."""

    status: Literal["ok"] = "ok"
    service: Literal["loop-api"] = "loop-api"
    jwks: Literal["fresh", "stale", "none"] = Field(
        description="fresh: the last fetch succeeded; stale: it failed and the last good keys are used; none: no keys"
    )


class ResourceMetadata(BaseModel):
    """OAuth 2.0 protected resource metadata (RFC 9728 section 2)."""

    resource: str
    authorization_servers: list[str]
    scopes_supported: list[str]
    bearer_methods_supported: list[str]
    resource_name: str
