"""Backups of what an authorization server knows, its database and its keys: to make, list and prune them."""

from __future__ import annotations

import os
import re
import shutil
import time
from contextlib import closing
from contextlib import contextmanager
from contextlib import suppress
from typing import Any
from typing import Iterator

from ansible.module_utils.loop_problem import Locked
from ansible.module_utils.loop_problem import Problem

# What SQLite keeps beside a database that is in use.
COMPANIONS = ("-wal", "-shm", "-journal")
# SQLITE_BUSY and SQLITE_LOCKED.
LOCKED = (5, 6)
# The names that backups get here; each sorts behind those that were given before it.
NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z(-again)*")
# What is no backup yet, or none any more.
PARTIAL = re.compile(rf"{NAME.pattern}\.partial")


def create(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make a backup and return its name, none of nothing; remove the oldest ones, never the one that is ``wanted``."""
    database, keys, directory = params["database"], params["keys"], params["directory"]
    try:
        if check_mode or not _is_anything(database, keys):
            return {"changed": check_mode, "backup": ""}
        refuse_links(database, keys)
        for left in names(directory, PARTIAL):  # by a process that was killed
            shutil.rmtree(os.path.join(directory, left), ignore_errors=True)
        name = _new_name(directory)
        with _partial(os.path.join(directory, name)) as partial:
            if os.path.exists(database):
                _save(database, os.path.join(partial, "oauth.db"), params.get("damaged", False))
            if os.path.isdir(keys):
                os.mkdir(os.path.join(partial, "keys"))
                for name_of_key in key_files(keys):
                    shutil.copy2(os.path.join(keys, name_of_key), os.path.join(partial, "keys", name_of_key))
                    sync(os.path.join(partial, "keys", name_of_key))
            os.rename(partial, os.path.join(directory, name))
            sync(directory)
    except OSError as error:
        raise Problem(
            f"No backup could be made in {directory} ({error}): free space on the NAS; nothing was touched."
        ) from error
    for old in names(directory)[params["keep"] :]:
        if old not in (name, params.get("wanted")):
            _remove(os.path.join(directory, old))
    return {"changed": True, "backup": name}


def _is_anything(database: str, keys: str) -> bool:
    """Return whether there is a database or a key: who brings back a backup of nothing loses what came since."""
    return os.path.exists(database) or os.path.isdir(keys) and bool(key_files(keys))


def refresh(backup: str, database: str) -> None:
    """Let the ``backup`` have the ``database`` as it is now; where that cannot be done it keeps the one it has."""
    copy = os.path.join(backup, "oauth.db")
    # What was copied damaged has files beside it, which are of no other database.
    if not os.path.exists(database) or any(os.path.exists(copy + companion) for companion in COMPANIONS):
        return
    with suppress(OSError, Problem), _partial(backup) as partial:
        refuse_links(database)
        newer = os.path.join(partial, "oauth.db")
        copy_database(database, newer)
        sync(newer)
        os.rename(newer, copy)
        sync(backup)


def refuse_links(database: str, *others: str) -> None:
    """Raise a Problem for what is a link among them: who writes it is not root, and could lead root anywhere by it."""
    for path in filter(os.path.islink, [*others, *(database + companion for companion in ("", *COMPANIONS))]):
        raise Problem(
            f"{path} is a link to {os.readlink(path)}, and root follows none there: put what it leads to in its place."
        )


def sync(path: str) -> None:
    """Let a file or a directory be on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _new_name(directory: str) -> str:
    """Return a name that sorts behind all others, also when the clock was set back, or was ahead before."""
    name = max([time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), *names(directory)])
    if len(name) > 100:  # an encrypted shared folder takes 143 characters, and the clock may have been years ahead
        name = f"{name[:9]}{int(name[9:15]) + 1:06}Z"
    while os.path.lexists(os.path.join(directory, name)):
        name += "-again"
    return name


@contextmanager
def _partial(path: str) -> Iterator[str]:
    """Make a directory for what is to be at ``path``, and remove what is left of it in the end."""
    partial = f"{path}.partial"
    os.umask(0o077)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        os.makedirs(partial)
        yield partial
    finally:
        # On a disk that is full half a backup would be in the way of whatever frees it.
        shutil.rmtree(partial, ignore_errors=True)


def _remove(path: str) -> None:
    """Remove a backup, which is none from the first moment on; one that cannot be removed is no reason to fail."""
    with suppress(OSError):
        os.rename(path, f"{path}.partial")
        shutil.rmtree(f"{path}.partial", ignore_errors=True)


def _save(database: str, copy: str, damaged: bool) -> None:
    """Copy the database; one that may be ``damaged`` as it is, when SQLite cannot read it any more."""
    try:
        copy_database(database, copy)
    except Locked:
        raise
    except Problem:
        if not damaged:
            raise
        for companion in ("", *COMPANIONS):
            if os.path.exists(database + companion):
                shutil.copy2(database + companion, copy + companion)


def key_files(directory: str) -> list[str]:
    """Return the names of the files in ``directory``; DSM puts directories of its own beside them, ``@eaDir``."""
    paths = [(name, os.path.join(directory, name)) for name in sorted(os.listdir(directory))]
    return [name for name, path in paths if os.path.isfile(path) and not os.path.islink(path)]


def names(directory: str, pattern: re.Pattern[str] = NAME) -> list[str]:
    """Return the names of the backups, the newest first; what DSM or an operator put beside them is none."""
    if not os.path.isdir(directory):
        return []
    with os.scandir(directory) as entries:
        found = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    return sorted(filter(pattern.fullmatch, found), reverse=True)


def copy_database(source: str, target: str) -> None:
    """Copy a SQLite database that may be in use, and check the copy; raise a Problem when either cannot be done.

    See "SQLite Backup API" in SQLite's documentation.
    """
    try:
        import sqlite3  # not every package of Python has it
    except ImportError as error:
        raise Problem(
            f"The NAS's Python has no sqlite3 ({error}): set ansible_python_interpreter to one that has it, because"
            " without a backup loop-auth is not replaced."
        ) from error

    def give_up(status: int, *_: int) -> None:
        if status in LOCKED:  # Python would ask again for ever, each time behind the timeout
            raise Locked(f"The database {source} is locked by another process: end that one, then try again.")

    try:
        with closing(sqlite3.connect(source, timeout=10)) as database, closing(sqlite3.connect(target)) as copy:
            database.backup(copy, progress=give_up)
            (verdict,) = copy.execute("PRAGMA quick_check").fetchone()
            # The copy is one file, whatever its source uses.
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise Problem(
            f"The database {source} cannot be backed up ({error}): restore it with `loopdeploy restore --auth`, or look"
            " at it with sqlite3; nothing was touched."
        ) from error
    if verdict != "ok":
        raise Problem(f"The database {source} is damaged ({verdict}): restore it with `loopdeploy restore --auth`.")
