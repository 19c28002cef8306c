"""What holds for every test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def heard_interrupts() -> None:
    """Let Ctrl-C reach what the tests start, also in a shell's background, where all of it would ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    """Put back the umask that a test changed: loop-auth sets its own when it is made in this process."""
    mask = os.umask(0o022)
    yield
    os.umask(mask)
