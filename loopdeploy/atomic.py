"""Writing a file so that it is there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(file: Path, content: bytes, mode: int) -> None:
    """Write ``content`` to ``file`` with exactly ``mode``, in place of what is there; make its directory.

    A cut leaves the old file or the new one, and nobody reads a half of either.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    # Made for its owner alone, whatever the umask.
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), mode)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, file)
    except BaseException:
        os.unlink(name)
        raise
