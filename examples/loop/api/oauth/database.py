"""The SQLite database: one connection, one transaction at a time, and one sentence when it cannot be used."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from pathlib import Path

from api.oauth.schema import VERSIONS

log = logging.getLogger("loop-auth")

#: How long a request waits for another process or thread that writes, in seconds.
BUSY = 2.0


class DatabaseUnavailable(Exception):
    """The database cannot be used now; the message is a sentence for the log. Nothing was written."""


class Database:
    """The database at ``path``, opened when first needed and again after every trouble."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Give a connection whose writes are kept when the block ends, and undone when it raises.

        Raises DatabaseUnavailable for what the disk or another process did.
        """
        if not self._lock.acquire(timeout=BUSY):
            raise DatabaseUnavailable(f"{self.path} is locked; wait for the process that writes to it, or end it.")
        try:
            with self._trouble_explained():
                connection = self._open()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
        finally:
            self._lock.release()

    def check(self) -> str:
        """Return ``ok`` or what is wrong, within half a second, without waiting for this process's own requests."""
        try:
            # Not yet opened, or in trouble: opening it is what would mend it.
            if self._connection is None:
                with self.transaction():
                    return "ok"
            with closing(_connect(self.path, timeout=0.3)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
        except (sqlite3.Error, DatabaseUnavailable) as error:
            # Two requests of this process may meet here; only other processes are worth a warning.
            if _is_busy(error) and self._lock.locked():
                return "ok"
            return _reason(error)
        return "ok"

    def close(self) -> None:
        """Close the connection; SQLite then folds its write-ahead log into the file."""
        with self._lock:
            self._forget()

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and _identity(self.path) == self._identity:
            return self._connection
        if self._identity is not None and _identity(self.path) is None:
            # SQLite would begin an empty one here, and everybody's sign-ins would be gone.
            raise DatabaseUnavailable(f"{self.path} has vanished; put it back, or restart to begin an empty one.")
        self._forget()
        self._connection = _prepare(self.path)
        self._identity = _identity(self.path)
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
            self._forget()
            raise DatabaseUnavailable(_sentence(self.path, error)) from error


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another that was put in its place."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _connect(path: Path, timeout: float = BUSY) -> sqlite3.Connection:
    # Autocommit: transactions begin and end where transaction() says so. The lock lets threads share it.
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _prepare(path: Path) -> sqlite3.Connection:
    """Open the database, in WAL mode where a write proves that it works, and bring its tables up to date."""
    try:
        return _migrated(path, "WAL")
    except sqlite3.OperationalError as error:
        if _is_busy(error):
            raise
        # Network and some bind mounts have no shared memory: WAL is then refused, or granted and fails on a write.
        _leave_wal(path)
        connection = _migrated(path, "DELETE")
        log.warning("%s cannot use write-ahead logging on this mount; the slower rollback journal is used.", path)
        return connection


def _migrated(path: Path, journal: str) -> sqlite3.Connection:
    connection = _connect(path)
    try:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        # A lost power supply may then lose the last answers, never the file; a lost rotation would sign a client out.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        _migrate(path, connection)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    os.chmod(path, 0o600)
    return connection


def _leave_wal(path: Path) -> None:
    # Exclusive locking keeps the index of the log in memory, so a log left by another mount is still folded in.
    with closing(_connect(path)) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = DELETE")


def _migrate(path: Path, connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(VERSIONS):
        raise DatabaseUnavailable(f"{path} is of a newer loop-auth; deploy that one again, or restore an older backup.")
    for script in VERSIONS[version:]:
        for statement in script.split(";"):
            connection.execute(statement)
    # Also when nothing changed: this write is the proof that the journal works.
    connection.execute(f"PRAGMA user_version = {len(VERSIONS)}")


def _is_busy(error: Exception) -> bool:
    return isinstance(error, sqlite3.OperationalError) and "locked" in str(error)


def _reason(error: Exception) -> str:
    """Return one word for the health check."""
    text = str(error)
    words = {"locked": "locked", "readonly": "read-only", "malformed": "corrupt", "not a database": "corrupt"}
    return next((word for part, word in words.items() if part in text), "unavailable")


def _sentence(path: Path, error: sqlite3.DatabaseError) -> str:
    advice = {
        "locked": "is locked; wait for the process that writes to it, or end it.",
        "read-only": "is read-only; make it and its directory writable.",
        "corrupt": "is corrupt; stop loop-auth and restore a backup.",
    }
    return f"{path} {advice.get(_reason(error), f'cannot be used ({error}); look at its directory and disk.')}"
