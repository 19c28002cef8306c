"""Looks at every process of this machine, and so of the practice NAS, for command lines and environments with secrets.

    python -m tests.leaks.sampler CONFIGURATION

CONFIGURATION is a JSON file: what a secret is spelt like with its name, the practice NAS's id and process, and where
temporary files are on either machine. Ends when its standard input does, and then prints in JSON what it saw.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.leaks.temporary import Places
from tests.leaks.temporary import TemporaryFiles

# Seconds between two looks at all processes, and so many of them between two looks at temporary files.
BEAT, FILES = 0.005, 3
# A process is looked at so often when it is new, and each so many beats later, as it may become another program.
NEW, OLD = 40, 40


class Sampler:
    """Keeps what it saw, each once: the secret's name, and the place."""

    def __init__(self, spellings: dict[str, str], lab: str, lab_pid: int, here: Places, there: Places) -> None:
        self.spellings = {spelling.encode(): name for spelling, name in spellings.items()}
        self.lab = lab.encode()
        self.seen: dict[tuple[str, str], None] = {}
        self.beats = 0
        # What runs already is not new, so that the first looks are no slower than the others.
        self._ages = dict.fromkeys(_processes(), NEW)
        self._here = TemporaryFiles(here)
        # The NAS's own tree, as its first process sees it.
        self._there = TemporaryFiles(there, root=f"/proc/{lab_pid}/root")

    def look(self) -> None:
        """Look at every process that is new or due, and at the temporary files."""
        self.beats += 1
        self._ages = {pid: self._ages.get(pid, 0) + 1 for pid in _processes()}
        for pid, age in self._ages.items():
            if age <= NEW or (age + int(pid)) % OLD == 0:
                with suppress(OSError):  # it is gone
                    self._process(pid)
        if self.beats % FILES == 0:
            for what, files in (("temporary file", self._here), ("temporary file of the NAS", self._there)):
                for path, content in files.changed():
                    self._keep(f"{what}: {path}", content)

    def _process(self, pid: str) -> None:
        line = Path("/proc", pid, "cmdline").read_bytes()
        shown = line.replace(b"\0", b" ")[:200].decode(errors="replace").strip()
        self._keep(f"command line: {shown}", line)
        environment = Path("/proc", pid, "environ").read_bytes()
        if any(spelling in environment for spelling in self.spellings):
            inner = self._in_a_container_of_the_nas(pid)
            for variable in environment.split(b"\0"):
                name = variable.partition(b"=")[0].decode(errors="replace")
                self._keep(f"environment of a service: {name}" if inner else f"environment: {shown}", variable)

    def _in_a_container_of_the_nas(self, pid: str) -> bool:
        groups = Path("/proc", pid, "cgroup").read_bytes().splitlines()
        own = [group.rpartition(b"/")[2] for group in groups if b"/docker/" in group]
        return bool(own) and self.lab not in own

    def _keep(self, place: str, content: bytes) -> None:
        for spelling, name in self.spellings.items():
            if spelling in content:
                self.seen[name, place] = None


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
    print(json.dumps({"seen": list(sampler.seen), "seconds_a_look": seconds}))


if __name__ == "__main__":
    main()
