"""What holds for every test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    """Put back the umask that a test changed: loop-auth sets its own when it is made in this process."""
    mask = os.umask(0o022)
    yield
    os.umask(mask)
