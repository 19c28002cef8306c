"""The lines of doctor.sh."""

from __future__ import annotations

import re

# What doctor.sh tells first, when it runs as root.
FIRST = re.compile(r"^user 0\s*$", re.MULTILINE)


class Told:
    """What doctor.sh told: the rest of each line by its first word.

    What stands before its first line is the shell's own, such as a home directory that there is not.
    """

    def __init__(self, output: str) -> None:
        self._lines: dict[str, list[str]] = {}
        began = FIRST.search(output)
        for line in output[began.start() :].splitlines() if began else []:
            word, _, rest = line.strip().partition(" ")
            self._lines.setdefault(word, []).append(rest.strip())

    @property
    def began(self) -> bool:
        """Return whether doctor.sh ran, as root."""
        return bool(self._lines)

    @property
    def whole(self) -> bool:
        """Return whether doctor.sh came to its end."""
        return self.one("time").isdigit()

    def has(self, word: str) -> bool:
        """Return whether there was a line with ``word``."""
        return word in self._lines

    def all(self, word: str) -> list[str]:
        """Return the rest of each line with ``word``."""
        return self._lines.get(word, [])

    def one(self, word: str) -> str:
        """Return the rest of the first line with ``word``, "" when there is none."""
        return (self.all(word) or [""])[0]
