"""Ending a run when the operator or a supervisor asks for it."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from types import FrameType
from types import TracebackType
from typing import Any

# Seconds that ansible-playbook gets to end its workers. They have process groups of their own, so that
# ansible-runner, which kills one group, would leave them at work.
GRACE = 10.0
# SIGQUIT comes of Ctrl-\, SIGHUP when the terminal is closed.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Interruption:
    """Turns each of SIGNALS into an orderly end of ansible-playbook for as long as it is entered."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self.since: float | None = None
        self._kept: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        self._kept = {number: signal.signal(number, self._ask) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._kept.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.since is None:
            self.since = time.monotonic()
            self._end()

    def _end(self) -> None:
        if self.pid is not None:
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(self.pid, signal.SIGTERM)

    def runs(self, pid: int | None) -> None:
        """Remember ansible-playbook's process id as soon as an event tells it."""
        if self.pid is None and pid is not None:
            self.pid = pid
            if self.since is not None:
                self._end()

    def must_kill(self) -> bool:
        """Return whether the grace period is over, as ansible-runner's cancel_callback."""
        return self.since is not None and time.monotonic() - self.since > GRACE
