"""Replace a note as a whole: a reader, or a crash, meets the old one or the new one and nothing in between."""

from __future__ import annotations

import logging
import os
import secrets
import stat

from api.errors import Conflict
from api.errors import NotStored
from api.vault import Place

logger = logging.getLogger(__name__)
NEW_NOTE_MODE = 0o644


def replace(place: Place, data: bytes) -> bool:
    """Write ``data`` as the note at ``place``, with the mode and owner of the old one; tell whether it is new.

    Raises Conflict when something else goes by that name, NotStored when the disk does not take it.
    """
    try:
        old = _old_status(place)
        partial = f".{secrets.token_hex(8)}.partial"
        try:
            _write(place.folder, partial, data, old)
            os.rename(partial, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
        except BaseException:
            _discard(place.folder, partial)
            raise
    except OSError as error:
        raise NotStored(f"{place.path!r} was not stored: {error.strerror}; the vault is as it was.") from error
    _settle(place)
    return old is None


def _settle(place: Place) -> None:
    """Let the new name outlive a power cut."""
    try:
        os.fsync(place.folder)
    except OSError as error:
        # The note is in place and read from now on, so its writer must not be told that it is not.
        logger.warning("%r is stored, but a power cut may undo it: %s", place.path, error.strerror)


def _old_status(place: Place) -> os.stat_result | None:
    try:
        status = os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise Conflict(f"{place.path!r} is a folder or a link; write under another name.")
    return status


def _write(folder: int, name: str, data: bytes, old: os.stat_result | None) -> None:
    owner = old or os.fstat(folder)
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    with os.fdopen(file, "wb") as stream:
        stream.write(data)
        stream.flush()
        # The container's root is nobody on the NAS: a new note belongs to whom its folder belongs.
        if os.geteuid() == 0:
            os.fchown(file, owner.st_uid, owner.st_gid)
        os.fchmod(file, stat.S_IMODE(old.st_mode) if old else NEW_NOTE_MODE)
        os.fsync(file)


def _discard(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        return  # Never made, renamed already, or the disk is gone.
