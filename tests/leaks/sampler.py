"""Looks at every process of this machine, and so of the practice NAS, for command lines and environments with secrets.

    python -m tests.leaks.sampler PATTERNS LAB

PATTERNS is a file with a JSON object of spellings and the names of their secrets; LAB the id of the practice NAS. Ends
when its standard input does, and then prints a JSON list of what it saw. Also looks into the temporary files of a run.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from contextlib import suppress
from pathlib import Path

# Seconds between two looks at all processes.
BEAT = 0.005
# A process is looked at so often when it is new, and each so many beats later, as it may become another program.
NEW, OLD = 40, 40
# Of a run that is under way; ansible-runner's directory in memory, and Ansible's on this machine.
TEMPORARY = (("/dev/shm", "loopdeploy-*"), (str(Path.home() / ".ansible" / "tmp"), "*"))


class Sampler:
    """Keeps what it saw, each once."""

    def __init__(self, spellings: dict[str, str], lab: str) -> None:
        self.spellings = {spelling.encode(): name for spelling, name in spellings.items()}
        self.lab = lab.encode()
        self.seen: dict[tuple[str, str, str], None] = {}
        self.beats = 0
        self._ages: dict[str, int] = {}

    def look(self) -> None:
        """Look at every process that is new or due, and at the temporary files."""
        self.beats += 1
        pids = [name for name in os.listdir("/proc") if name.isdigit()]
        self._ages = {pid: self._ages.get(pid, 0) + 1 for pid in pids}
        for pid, age in self._ages.items():
            if age <= NEW or (age + int(pid)) % OLD == 0:
                with suppress(OSError):  # it is gone
                    self._process(pid)
        if self.beats % 4 == 0:
            for directory, pattern in TEMPORARY:
                for file in Path(directory).glob(f"{pattern}/**/*"):
                    with suppress(OSError):
                        if file.is_file():
                            self._keep("temporary file", str(file), file.read_bytes())

    def _process(self, pid: str) -> None:
        line = Path("/proc", pid, "cmdline").read_bytes()
        shown = line.replace(b"\0", b" ")[:200].decode(errors="replace")
        self._keep("command line", shown, line)
        environment = Path("/proc", pid, "environ").read_bytes()
        if any(spelling in environment for spelling in self.spellings):
            inner = self._in_a_container_of_the_nas(pid)
            self._keep("environment of a service" if inner else "environment", shown, environment)

    def _in_a_container_of_the_nas(self, pid: str) -> bool:
        groups = Path("/proc", pid, "cgroup").read_bytes().splitlines()
        own = [group.rpartition(b"/")[2] for group in groups if b"/docker/" in group]
        return bool(own) and self.lab not in own

    def _keep(self, what: str, where: str, content: bytes) -> None:
        for spelling, name in self.spellings.items():
            if spelling in content:
                self.seen[name, what, where] = None


def main() -> None:
    """Look until the standard input ends."""
    spellings = json.loads(Path(sys.argv[1]).read_text())
    sampler, began = Sampler(spellings, sys.argv[2]), time.monotonic()
    while not select.select([sys.stdin], [], [], BEAT)[0]:
        sampler.look()
    seconds = (time.monotonic() - began) / max(1, sampler.beats)
    print(json.dumps({"seen": list(sampler.seen), "seconds_a_look": seconds}))


if __name__ == "__main__":
    main()
