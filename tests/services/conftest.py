"""What the tests of both services share."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    """Give an HTTP client that follows no redirects; to make one costs more than most tests."""
    with httpx.Client(timeout=20) as http:
        yield http
