"""What clients do with the vault, over REST and MCP alike, each call with the scopes of its token."""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import PurePosixPath
from urllib.parse import quote

from api import guard
from api import store
from api.errors import Conflict
from api.errors import NoteError
from api.errors import NotFound
from api.errors import NotText
from api.errors import ScopeMissing
from api.errors import TooLarge
from api.errors import VaultGone
from api.index import Closed
from api.index import Index
from api.models.entities import Document
from api.models.entities import Note
from api.models.entities import NoteEntry
from api.models.entities import NoteList
from api.models.entities import SearchResult
from api.models.entities import SearchResults
from api.models.entities import Written
from api.scopes import ALL
from api.scopes import EXEC
from api.scopes import READ
from api.scopes import WRITE
from api.vault import MAX_NOTE_BYTES
from api.vault import Found
from api.vault import Place
from api.vault import Vault
from api.vault import read_bytes

logger = logging.getLogger(__name__)
MAX_TITLE = 200

Scopes = frozenset[str]


class Notes:
    """The notes of ``vault``, each with a URL below ``base_url``."""

    def __init__(self, vault: Vault, base_url: str):
        self._vault = vault
        self._base_url = base_url
        self._index = Index(vault, self._indexed)
        # One writer at a time, so that a version that was compared is the one that is replaced.
        self._writing = threading.Lock()

    def start(self) -> None:
        """Fill the index in the background, so that the first search need not."""
        threading.Thread(target=self._fill, name="index", daemon=True).start()

    def close(self) -> None:
        """Let go of the index."""
        self._index.close()

    def list(self, folder: str, after: str, limit: int, scopes: Scopes) -> NoteList:
        """Return the notes below ``folder``, "" for all, that come after the path ``after``."""
        _require(READ, scopes)
        names = self._vault.resolve(folder.rstrip("/"), scopes)
        self._vault.check_folder(names)
        after = after.encode(errors="ignore").decode()
        rows = self._index.page("/".join(names), after, EXEC in scopes, limit + 1)
        notes = [NoteEntry(path=path, title=title, size=size, modified=at) for path, title, size, at in rows[:limit]]
        return NoteList(notes=notes, next_after=notes[-1].path if len(rows) > limit else None)

    def search(self, query: str, limit: int, scopes: Scopes) -> SearchResults:
        """Return the notes that hold every word of ``query``, best first."""
        _require(READ, scopes)
        rows = self._index.search(query, EXEC in scopes, limit)
        return SearchResults(
            results=[
                SearchResult(id=path, title=title, url=self.url(path), snippet=snippet) for path, title, snippet in rows
            ]
        )

    def read(self, path: str, scopes: Scopes) -> Note:
        """Return the note at ``path``; raises NoteError."""
        _require(READ, scopes)
        with self._vault.place(path, scopes) as place:
            data, status = read_bytes(place)
        text = _decode(data, path)
        title = _title(text, path)
        return Note(path=path, title=title, text=text, size=len(data), modified=status.st_mtime, version=_version(data))

    def fetch(self, path: str, scopes: Scopes) -> Document:
        """Return the note at ``path`` in the shape of ChatGPT's ``fetch``."""
        note = self.read(path, scopes)
        metadata = {"version": note.version, "modified": str(note.modified)}
        return Document(id=path, title=note.title, text=note.text, url=self.url(path), metadata=metadata)

    def write(self, path: str, text: str, version: str | None, scopes: Scopes) -> Written:
        """Make or replace the note at ``path``; with ``version``, only the one that was read.

        Raises NoteError; nothing is written then.
        """
        _require(WRITE, scopes)
        data = _encode(text, path)
        with self._writing, self._vault.place(path, scopes, True, version is None) as place:
            if version is not None:
                _compare(place, version)
            created = store.replace(place, data)
        self._index.expire()
        return Written(path=place.path, version=_version(data), created=created)

    def url(self, path: str) -> str:
        """Return where ``path`` is read over REST."""
        return f"{self._base_url}/api/notes/{quote(path)}"

    def _fill(self) -> None:
        try:
            self._index.look()
        except Closed:
            return
        except NoteError as error:
            logger.warning("Nothing is indexed yet: %s", error)

    def _indexed(self, found: Found) -> tuple[str, str]:
        """Return title and text of a note for the index; one that cannot be read is found by its name.

        Raises VaultGone, as that says nothing of the note.
        """
        try:
            with self._vault.place(found.path, frozenset(ALL)) as place:
                if place.path != found.path:
                    raise NotFound("Replaced by a link while we looked.")
                data, _ = read_bytes(place)
            text = _decode(data, found.path)
        except VaultGone:
            raise
        except NoteError:
            return found.stem, ""
        return _title(text, found.path), text


def _require(scope: str, scopes: Scopes) -> None:
    if scope not in scopes:
        raise ScopeMissing(scope)


def _compare(place: Place, version: str) -> None:
    try:
        current = _version(read_bytes(place)[0])
    except NotFound as error:
        raise Conflict(f"{place.path!r} is no longer there; write without a version to make it anew.") from error
    if current != version:
        raise Conflict(f"{place.path!r} changed since it was read; read it again and merge.")


def _decode(data: bytes, path: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise NotText(f"{path!r} is not UTF-8 from byte {error.start} on; save it as UTF-8 first.") from error


def _encode(text: str, path: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise NotText(f"The text for {path!r} holds half a surrogate pair; send valid Unicode.") from error
    if len(data) > MAX_NOTE_BYTES:
        raise TooLarge(f"The text for {path!r} has {len(data)} bytes; notes up to {MAX_NOTE_BYTES} bytes are written.")
    return data


def _title(text: str, path: str) -> str:
    for line in text.splitlines()[:20]:
        if line.startswith("# "):
            return line[2:].strip()[:MAX_TITLE]
    return PurePosixPath(path).name.removesuffix(guard.NOTE_SUFFIX)


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
