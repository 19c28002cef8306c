"""The SQLite database: one connection, one transaction at a time, and one sentence when it cannot be used."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path

from api.oauth.schema import VERSIONS

log = logging.getLogger("loop-auth")

#: How long a request waits for another process or thread that writes, in seconds.
BUSY = 2.0


class DatabaseUnavailable(Exception):
    """The database cannot be used now; the message is a sentence for the log. Nothing was written."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Database:
    """The database at ``path``, opened when first needed and again after every trouble."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    @contextmanager
    def transaction(self, wait: float = BUSY) -> Iterator[sqlite3.Connection]:
        """Give a connection whose writes are kept when the block ends, and undone when it raises.

        Raises DatabaseUnavailable for what the disk or another process did, after ``wait`` seconds for a lock.
        """
        if not self._lock.acquire(timeout=wait):
            raise _unavailable(self.path, "locked")
        try:
            with self._trouble_explained():
                connection = self._open(wait)
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
        finally:
            self._lock.release()

    def check(self) -> str:
        """Return ``ok`` or in a word what is wrong, soon enough for a health check."""
        try:
            with self.transaction(wait=0.3):
                return "ok"
        except DatabaseUnavailable as error:
            return error.reason

    def close(self) -> None:
        """Close the connection; SQLite then folds its write-ahead log into the file."""
        with self._lock:
            self._forget()

    def _open(self, wait: float) -> sqlite3.Connection:
        found = _identity(self.path)
        if self._connection is None or found != self._identity:
            if self._identity is not None and found is None:
                # SQLite would begin an empty one here, and everybody's sign-ins would be gone.
                raise _unavailable(self.path, "vanished")
            self._forget()
            self._connection = _prepare(self.path, wait)
            self._identity = _identity(self.path)
        self._connection.execute(f"PRAGMA busy_timeout = {int(wait * 1000)}")
        return self._connection

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    @contextmanager
    def _trouble_explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise
        except sqlite3.DatabaseError as error:
            reason = _reason(error)
            if reason != "locked":
                self._forget()
            raise _unavailable(self.path, reason, str(error)) from error


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another that was put in its place."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _connect(path: Path, wait: float) -> sqlite3.Connection:
    # Autocommit: transactions begin and end where transaction() says so. The lock lets threads share it.
    connection = sqlite3.connect(path, timeout=wait, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _prepare(path: Path, wait: float) -> sqlite3.Connection:
    """Open the database, in WAL mode where a write proves that it works, and bring its tables up to date."""
    _close_to_others(path)
    try:
        return _migrated(path, wait, "WAL")
    except sqlite3.OperationalError as error:
        if _reason(error) == "locked":
            raise
        # Network and some bind mounts have no shared memory: WAL is then refused, or granted and fails on a write.
        _leave_wal(path, wait)
        connection = _migrated(path, wait, "DELETE")
        log.warning("%s cannot use write-ahead logging on this mount; the slower rollback journal is used.", path)
        return connection


def _close_to_others(path: Path) -> None:
    # SQLite gives the files beside it the same mode. Where this is not allowed, SQLite says what is wrong.
    with suppress(OSError):
        path.touch(mode=0o600)
        path.chmod(0o600)


def _migrated(path: Path, wait: float, journal: str) -> sqlite3.Connection:
    connection = _connect(path, wait)
    try:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        # With a power cut the last answers would be lost otherwise, and a lost rotation signs a client out.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        _migrate(path, connection)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _leave_wal(path: Path, wait: float) -> None:
    # Exclusive locking keeps the index of the log in memory, so a log left by another mount is still folded in.
    with closing(_connect(path, wait)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = DELETE")


def _migrate(path: Path, connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(VERSIONS):
        raise _unavailable(path, "newer")
    for script in VERSIONS[version:]:
        for statement in script.split(";"):
            connection.execute(statement)
    # Also when nothing changed: this write is the proof that the journal works.
    connection.execute(f"PRAGMA user_version = {len(VERSIONS)}")


_REASONS = {
    "locked": "locked",
    "readonly": "read-only",
    "malformed": "corrupt",
    "not a database": "corrupt",
    "full": "full",
}
_SENTENCES = {
    "locked": "is locked; wait for the process that writes to it, or end it.",
    "read-only": "is read-only; make it and its directory writable.",
    "corrupt": "is corrupt; stop loop-auth and restore a backup.",
    "full": "has no room; free some on its disk.",
    "vanished": "has vanished; put it back, or restart loop-auth to begin an empty one.",
    "newer": "is of a newer loop-auth; deploy that one again, or restore an older backup.",
}


def _reason(error: Exception) -> str:
    """Return one word for what SQLite says."""
    return next((reason for part, reason in _REASONS.items() if part in str(error)), "unavailable")


def _unavailable(path: Path, reason: str, detail: str = "") -> DatabaseUnavailable:
    sentence = _SENTENCES.get(reason, f"cannot be used ({detail}); look at its directory and disk.")
    return DatabaseUnavailable(reason, f"{path} {sentence}")
