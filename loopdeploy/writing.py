"""Writing the operator's own files; where they cannot be written, a sentence says so."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from loopdeploy.atomic import write_whole
from loopdeploy.errors import LoopdeployError
from loopdeploy.errors import SetupError

# What a disk says that takes no more; of a file that is open Python does not tell the name.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def write_file(file: Path, content: bytes, mode: int) -> None:
    """Write ``content`` to ``file`` with exactly ``mode``, whole or not at all; make its directory.

    Raises SetupError when that cannot be done.
    """
    try:
        write_whole(file, content, mode)
    except OSError as error:
        raise SetupError(f"{file} cannot be written: {error.strerror}; mend that, and call it again.") from error


def require_writable(directory: Path) -> None:
    """Find out whether files can be made in ``directory``, and leave everything as it was.

    Raises SetupError when they cannot.
    """
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise SetupError(
            f"Nothing can be written into {directory}: {error.strerror}; mend that, or name another directory."
        ) from error
    finally:
        for path in missing:
            with suppress(OSError):  # it could not be made
                path.rmdir()


def trouble(error: OSError) -> LoopdeployError | None:
    """Return what to tell of ``error``, of a file or of a disk that is full; None when it is neither."""
    if error.filename:
        file = os.fsdecode(error.filename)
        return SetupError(f"{file} cannot be used: {error.strerror}; mend that, and call it again.")
    if error.errno not in FULL:
        return None
    try:
        sys.stdout.flush()
    except OSError:
        # Else Python would try it once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return LoopdeployError(f"The output, or a temporary file, cannot be written: {error.strerror}; free space there.")
