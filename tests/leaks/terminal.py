"""A command on a terminal, and whoever answers what it asks."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pexpect

from tests.lab.conftest import Result


class Terminal:
    """Runs ``loopdeploy`` and keeps all that the terminal shows."""

    def __init__(self, *argv: str, environment: dict[str, str] | None = None) -> None:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "LOOPDEPLOY_"))}
        self.shown = io.StringIO()
        self.child: pexpect.spawn[str] = pexpect.spawn(
            str(Path(sys.executable).with_name("loopdeploy")),
            list(argv),
            env={**clean, "COLUMNS": "300", **(environment or {})},
            encoding="utf-8",
            timeout=120,
            dimensions=(50, 300),
        )
        self.child.logfile_read = self.shown

    def answer(self, question: str, text: str) -> None:
        """Wait for ``question`` and type ``text``."""
        self.child.expect_exact(question)
        self.child.sendline(text)

    def interrupt(self, at: str) -> None:
        """Type Ctrl-C when the terminal shows ``at``."""
        self.child.expect_exact(at)
        self.child.sendintr()

    def ends(self) -> Result:
        """Wait for the end; return the exit code, negative for a signal, and all that was shown."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        code = self.child.exitstatus if self.child.exitstatus is not None else -(self.child.signalstatus or 0)
        return subprocess.CompletedProcess(["loopdeploy"], int(code), self.shown.getvalue(), "")
