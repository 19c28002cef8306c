"""Looks at every process of this machine, and so of the practice NAS, for command lines and environments with secrets.

    python -m tests.leaks.sampler CONFIGURATION

CONFIGURATION is a JSON file: what a secret is spelt like with its name, the practice NAS's id and process, and where
temporary files are on either machine. Ends when its standard input does, and then prints in JSON what it saw. What a
process is given when it begins is the tracer's, where the kernel allows that one: this sees what it changes later.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from pathlib import Path

from tests.leaks.processes import Processes
from tests.leaks.temporary import Places
from tests.leaks.temporary import TemporaryFiles

# Seconds between two looks at all processes, and so many of them between two looks at temporary files.
BEAT, FILES = 0.005, 3
# A process is looked at so often when it is new, and each so many beats later, as it may become another program.
NEW, OLD = 40, 40


class Sampler:
    """Keeps what it saw in processes and temporary files."""

    def __init__(self, spellings: dict[str, str], lab: str, lab_pid: int, here: Places, there: Places) -> None:
        self.processes = Processes(spellings, lab)
        self.beats = 0
        #: Seconds between two looks, at most.
        self.gap = 0.0
        self._looked = time.monotonic()
        # What runs already is not new, so that the first looks are no slower than the others.
        self._ages = dict.fromkeys(_processes(), NEW)
        self._here = TemporaryFiles(here)
        # The NAS's own tree, as its first process sees it.
        self._there = TemporaryFiles(there, root=f"/proc/{lab_pid}/root")

    def look(self) -> None:
        """Look at every process that is new or due, and at the temporary files."""
        before, self._looked = self._looked, time.monotonic()
        self.gap = max(self.gap, self._looked - before)
        self.beats += 1
        self._ages = {pid: self._ages.get(pid, 0) + 1 for pid in _processes()}
        for pid, age in self._ages.items():
            if age <= NEW or (age + int(pid)) % OLD == 0:
                self.processes.look_at(pid)
        if self.beats % FILES == 0:
            for what, files in (("temporary file", self._here), ("temporary file of the NAS", self._there)):
                for path, content in files.changed():
                    self.processes.keep(f"{what}: {path}", content)


def _processes() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]


def main() -> None:
    """Look until the standard input ends."""
    sampler = Sampler(**json.loads(Path(sys.argv[1]).read_text()))
    print("looking", flush=True)
    began = time.monotonic()
    while not select.select([sys.stdin], [], [], BEAT)[0]:
        sampler.look()
    seconds = (time.monotonic() - began) / max(1, sampler.beats)
    print(json.dumps({"seen": list(sampler.processes.seen), "beat": seconds, "gap": sampler.gap}))


if __name__ == "__main__":
    main()
