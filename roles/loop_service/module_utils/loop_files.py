"""Putting the files of a backup in place of those in use, so that a full disk is noticed before one is touched."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress

from ansible.module_utils.loop_backup import COMPANIONS
from ansible.module_utils.loop_backup import key_files
from ansible.module_utils.loop_backup import refuse_links
from ansible.module_utils.loop_backup import sync
from ansible.module_utils.loop_problem import Problem

# Ends the name of a copy that is not in place yet.
SUFFIX = ".restored"


class Files:
    """The files of the backup ``source``, copied beside those in use; to put them in place then needs no space.

    What the backup lacks, a database or keys, stays as it is, or is removed when the backup is the ``whole`` of it.
    Raises a Problem when a file cannot be copied; then nothing was touched.
    """

    def __init__(self, source: str, database: str, keys: str, whole: bool = False) -> None:
        copy, copied_keys = os.path.join(source, "oauth.db"), os.path.join(source, "keys")
        self._database, self._keys = database, keys
        self._has_database = whole or os.path.exists(copy)
        self._has_keys = whole or os.path.isdir(copied_keys)
        self._targets: list[str] = []
        if not os.path.isdir(source):
            raise Problem(f"the backup {source} cannot be put in place (there is no such directory)")
        refuse_links(database, keys)
        try:
            if os.path.exists(copy):
                owner = os.stat(database if os.path.exists(database) else os.path.dirname(database))
                for companion in ("", *COMPANIONS):
                    if os.path.exists(copy + companion):
                        self._copy(copy + companion, database + companion, owner)
            if os.path.isdir(copied_keys):
                os.makedirs(keys, mode=0o700, exist_ok=True)
                for name in key_files(copied_keys):
                    self._copy(os.path.join(copied_keys, name), os.path.join(keys, name), os.stat(keys))
        except OSError as error:
            self.discard()
            raise Problem(f"the backup {source} cannot be put in place ({error})") from error

    def _copy(self, source: str, target: str, owner: os.stat_result) -> None:
        """Copy ``source`` beside ``target``; whoever can write there cannot lead it elsewhere by a symbolic link."""
        partial = target + SUFFIX
        if os.path.lexists(partial):
            os.unlink(partial)
        handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        self._targets.append(target)
        with os.fdopen(handle, "wb") as file, open(source, "rb") as content:
            shutil.copyfileobj(content, file)
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.flush()
            os.fsync(file.fileno())

    def discard(self) -> None:
        """Remove the copies that are not in place: they would take the space that somebody else needs."""
        for target in self._targets:
            with suppress(OSError):
                os.unlink(target + SUFFIX)

    def put(self) -> None:
        """Put the files in place, each at once, and remove what is of no use any more; raise a Problem."""
        refuse_links(self._database, self._keys)  # the service had some time since
        try:
            self._put_database()
            self._put_keys()
            for directory in filter(os.path.isdir, (os.path.dirname(self._database), self._keys)):
                sync(directory)  # before the journal goes
        except OSError as error:
            raise Problem(f"the files of a backup could not be put in place ({error})") from error

    def _put_database(self) -> None:
        if not self._has_database:
            return
        # Those of the database that goes would be taken for the new one's own.
        for path in (self._database + companion for companion in COMPANIONS):
            if os.path.lexists(path):
                os.unlink(path)
        if self._database not in self._targets and os.path.lexists(self._database):
            os.unlink(self._database)
        for path in (self._database + companion for companion in ("", *COMPANIONS)):
            if path in self._targets:
                os.rename(path + SUFFIX, path)

    def _put_keys(self) -> None:
        """Put the keys in place, file by file: loop-api has the directory itself mounted."""
        if not self._has_keys or not os.path.isdir(self._keys):
            return
        wanted = [path for path in self._targets if os.path.dirname(path) == self._keys]
        for path in wanted:
            os.rename(path + SUFFIX, path)
        for name in key_files(self._keys):
            if os.path.join(self._keys, name) not in wanted:
                os.unlink(os.path.join(self._keys, name))
