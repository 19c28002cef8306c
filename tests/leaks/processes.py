"""Reads command lines and environments of this machine's processes, and so of the practice NAS's."""

from __future__ import annotations

from pathlib import Path


class Processes:
    """Keeps what it saw, each once: the secret's name, and the place."""

    def __init__(self, spellings: dict[str, str], lab: str) -> None:
        self.spellings = {spelling.encode(): name for spelling, name in spellings.items()}
        self.lab = lab.encode()
        self.seen: dict[tuple[str, str], None] = {}

    def look_at(self, pid: str) -> bool:
        """Keep the secrets of a process; return whether it was still there."""
        try:
            environment = Path("/proc", pid, "environ").read_bytes()
            # Behind the environment, which may be empty: a command line never is, so that neither was read too late.
            line = Path("/proc", pid, "cmdline").read_bytes()
            self._judge(pid, line, environment)
        except OSError:
            return False
        return bool(line)

    def keep(self, place: str, content: bytes) -> None:
        """Keep the secrets in ``content``."""
        for spelling, name in self.spellings.items():
            if spelling in content:
                self.seen[name, place] = None

    def _judge(self, pid: str, line: bytes, environment: bytes) -> None:
        shown = line.replace(b"\0", b" ")[:200].decode(errors="replace").strip()
        self.keep(f"command line: {shown}", line)
        if any(spelling in environment for spelling in self.spellings):
            inner = self._in_a_container_of_the_nas(pid)
            for variable in environment.split(b"\0"):
                name = variable.partition(b"=")[0].decode(errors="replace")
                self.keep(f"environment of a service: {name}" if inner else f"environment: {shown}", variable)

    def _in_a_container_of_the_nas(self, pid: str) -> bool:
        groups = Path("/proc", pid, "cgroup").read_bytes().splitlines()
        own = [group.rpartition(b"/")[2] for group in groups if b"/docker/" in group]
        return bool(own) and self.lab not in own
