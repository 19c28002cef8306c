"""The search index: every note's text in SQLite FTS5, kept current as files change, also by git pull beside it.

The database has no name: SQLite keeps it in memory as far as its cache goes and else in a file that is deleted on
opening, outside the vault. It is made anew at every start.
"""

from __future__ import annotations

import sqlite3
import threading
import time
import unicodedata
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

from api.errors import IndexFailed
from api.errors import VaultGone
from api.vault import Found
from api.vault import Signature
from api.vault import Vault

# How long a look at the vault's files is trusted; each costs a stat of every note.
LOOK_AGAIN_SECONDS = 2.0
# A file changed this short before it is read may change again within its clock's tick: its text is read once more.
RACY_SECONDS = 2.0
CACHE_KIB = 8192
MAX_WORDS = 32
# What FTS5 finds nowhere.
NOTHING = '""'
SCHEMA = """
CREATE TABLE notes (id INTEGER PRIMARY KEY, path TEXT UNIQUE, title TEXT, size INTEGER, modified REAL, exec INTEGER);
CREATE VIRTUAL TABLE texts USING fts5(path, title, body, tokenize='unicode61 remove_diacritics 2', prefix='2 3');
INSERT INTO texts(texts, rank) VALUES ('rank', 'bm25(10.0, 20.0, 1.0)');
"""
MATCHES = """
SELECT notes.path, notes.title, snippet(texts, 2, '', '', '…', 24)
FROM texts JOIN notes ON notes.id = texts.rowid
WHERE texts MATCH ? AND notes.exec <= ? ORDER BY rank LIMIT ?
"""
PAGE = """
SELECT path, title, size, modified FROM notes
WHERE path > ? AND path >= ? AND path < ? AND exec <= ? ORDER BY path LIMIT ?
"""
END_OF_PATHS = "\U0010ffff"

Row = tuple[Any, ...]
Reader = Callable[[Found], tuple[str, str]]


class Closed(Exception):
    """The server stops; a look at the vault is given up."""


class Index:
    """The notes of ``vault``; ``read`` gives a note's title and the text to search, or raises VaultGone."""

    def __init__(self, vault: Vault, read: Reader):
        self._vault = vault
        self._read = read
        self._looking = threading.Lock()
        self._lock = threading.Lock()
        self._known: dict[str, Signature | None] = {}
        self._looked_at: float | None = None
        self._changed_at = 0.0
        self._closed = False
        self._database = self._make()

    def search(self, query: str, include_exec: bool, limit: int) -> list[Row]:
        """Return path, title and snippet of the best ``limit`` notes that hold each word of ``query``."""
        return self._rows(MATCHES, (_match(query), int(include_exec), limit))

    def page(self, folder: str, after: str, include_exec: bool, limit: int) -> list[Row]:
        """Return path, title, size and time of ``limit`` notes below ``folder`` that come after ``after``."""
        # "0" follows "/".
        below, end = (f"{folder}/", f"{folder}0") if folder else ("", END_OF_PATHS)
        return self._rows(PAGE, (after, below, end, int(include_exec), limit))

    def look(self) -> None:
        """Bring the index in step with the vault's files, unless that was done a moment ago.

        While somebody else looks, the last look is still good enough, if it is not much older and nothing was written.
        Raises VaultGone, and leaves the index as it is, when the vault is not there.
        """
        asked = time.monotonic()
        if self._looked_since(asked - LOOK_AGAIN_SECONDS):
            return
        if not self._looking.acquire(blocking=not self._looked_since(asked - 2 * LOOK_AGAIN_SECONDS)):
            return
        try:
            if not self._looked_since(asked - LOOK_AGAIN_SECONDS):
                started = time.monotonic()
                self._update()
                self._looked_at = started
        finally:
            self._looking.release()

    def _looked_since(self, moment: float) -> bool:
        return self._looked_at is not None and self._looked_at >= max(moment, self._changed_at)

    def expire(self) -> None:
        """Look again before the next answer: a note was written."""
        self._changed_at = time.monotonic()

    def close(self) -> None:
        """Give up a look that is under way, and the database."""
        self._closed = True
        with self._lock:
            self._database.close()

    def _rows(self, statement: str, values: tuple[Any, ...]) -> list[Row]:
        self.look()
        with self._vault.open_root():
            pass  # Else a vault that vanished would answer until the next look.
        try:
            with self._lock:
                return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed() from error

    def _update(self) -> None:
        found = {note.path: note for note in self._vault.walk()}
        gone = self._known.keys() - found.keys()
        changed = [note for note in found.values() if self._known.get(note.path) != note.signature]
        try:
            self._forget(gone)
            for note in changed:
                self._put(note)
            with self._lock:
                self._database.commit()
        except sqlite3.Error as error:
            raise self._failed() from error

    def _forget(self, paths: Iterable[str]) -> None:
        for path in paths:
            with self._lock:
                self._delete(path)
            self._known.pop(path)

    def _put(self, note: Found) -> None:
        if self._closed:
            raise Closed
        # A time to come, as of a clock that was set back, is no sign of a change that is just being made.
        known = None if abs(time.time() - note.modified) < RACY_SECONDS else note.signature
        try:
            title, body = self._read(note)
        except VaultGone:
            # It may be back in a moment: until then the note is found by its name, and each look tries to read it.
            title, body, known = note.stem, "", None
        with self._lock:
            self._delete(note.path)
            row = self._database.execute(
                "INSERT INTO notes (path, title, size, modified, exec) VALUES (?, ?, ?, ?, ?)",
                (note.path, title, note.size, note.modified, int(note.in_exec)),
            )
            self._database.execute(
                "INSERT INTO texts (rowid, path, title, body) VALUES (?, ?, ?, ?)",
                (row.lastrowid, *(unicodedata.normalize("NFC", text) for text in (note.path, title, body))),
            )
        self._known[note.path] = known

    def _delete(self, path: str) -> None:
        row = self._database.execute("SELECT id FROM notes WHERE path = ?", (path,)).fetchone()
        if row:
            self._database.execute("DELETE FROM texts WHERE rowid = ?", row)
            self._database.execute("DELETE FROM notes WHERE id = ?", row)

    def _failed(self) -> IndexFailed:
        """Start over with an empty index; the next call fills it."""
        with self._lock:
            self._database.close()
            self._database = self._make()
            self._known.clear()
            self._looked_at = None
        return IndexFailed("The search index broke and is made anew; try again.")

    def _make(self) -> sqlite3.Connection:
        database = sqlite3.connect("", check_same_thread=False)
        # Nothing here outlives the process: no journal to recover from, no waiting for the disk.
        database.executescript(
            f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{CACHE_KIB}; {SCHEMA}"
        )
        return database


def _match(query: str) -> str:
    """Return ``query`` as FTS5 takes it: each word literal, and a beginning of one in the note."""
    clean = unicodedata.normalize("NFC", query).encode(errors="ignore").decode().replace("\0", " ")
    words = [word for word in clean.split() if any(letter.isalnum() for letter in word)]
    return " ".join(_term(word) for word in words[:MAX_WORDS]) or NOTHING


def _term(word: str) -> str:
    """Return a word, or the beginning of one, in FTS5's quotes.

    Beginnings, because Korean puts its particles behind a word without a space; but not of one or two Latin letters,
    with which half of all words begin.
    """
    quoted = '"' + word.replace('"', '""') + '"'
    return quoted if len(word) < 3 and word.isascii() else f"{quoted}*"
