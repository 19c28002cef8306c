"""Reads the temporary files of a run while it lasts: they are gone behind it, and no search finds them then."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from fnmatch import fnmatch

# Directories, and what is looked at in them.
Places = list[tuple[str, str]]
# Bytes of a file that are read: a build's context is large, and mostly code.
MOST = 1 << 20


class TemporaryFiles:
    """The files in ``places``, below ``root``, that are made or changed from now on."""

    def __init__(self, places: Places, root: str = "") -> None:
        self.root = root
        self.places = places
        self._states: dict[str, tuple[int, int, int]] = {}
        # What killed runs left behind is not of this one, and reading it each time would take too long.
        self._old = {entry.path for entry in self._tops() if entry.is_dir(follow_symlinks=False)}
        for _ in self.changed():
            pass

    def changed(self) -> Iterator[tuple[str, bytes]]:
        """Return each file that was made or changed since the last call, and what is in it."""
        for entry in self._tops():
            if entry.path not in self._old:
                yield from self._below(entry)

    def _tops(self) -> Iterator[os.DirEntry[str]]:
        for directory, pattern in self.places:
            with suppress(OSError):  # there is none yet
                for entry in os.scandir(self.root + directory):
                    if fnmatch(entry.name, pattern):
                        yield entry

    def _below(self, entry: os.DirEntry[str]) -> Iterator[tuple[str, bytes]]:
        with suppress(OSError):  # it is gone
            if entry.is_dir(follow_symlinks=False):
                for inner in os.scandir(entry.path):
                    yield from self._below(inner)
            elif entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                state = status.st_ino, status.st_ctime_ns, status.st_size
                if self._states.get(entry.path) != state:
                    with open(entry.path, "rb") as file:
                        content = file.read(MOST)
                    self._states[entry.path] = state
                    yield entry.path.removeprefix(self.root), content
