"""Limits, and whose they are."""

from __future__ import annotations

import pytest
from api.oauth.limits import MOST_KEYS
from api.oauth.limits import Limit
from api.oauth.limits import SignInLimits
from api.oauth.limits import client_address
from starlette.requests import Request


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give a clock that the test moves."""
    now = [1000.0]
    monkeypatch.setattr("api.oauth.limits.time.monotonic", lambda: now[0])
    return now


def test_a_limit_frees_with_time(clock: list[float]) -> None:
    """It counts in a window that moves."""
    limit = Limit(2, 60)
    assert [limit.take("a"), limit.take("a"), limit.take("a"), limit.take("b")] == [0, 0, 60, 0]
    clock[0] += 59
    assert limit.take("a") == 1
    clock[0] += 1
    assert limit.take("a") == 0


def test_a_limit_does_not_grow(clock: list[float]) -> None:
    """A flood of addresses pushes out the oldest."""
    limit = Limit(1, 60)
    for number in range(MOST_KEYS + 1):
        limit.take(str(number))
    assert limit.take("0") == 0
    assert limit.take(str(MOST_KEYS)) == 60


def test_attackers_everywhere_hold_a_name_up_for_an_hour_at_most(clock: list[float]) -> None:
    """Never a browser in which its user has signed in before."""
    limits = SignInLimits()
    assert [limits.take("", f"192.0.2.{number}", "anna") for number in range(31)] == [0] * 30 + [3600]
    assert limits.take("", "198.51.100.1", "bert") == 0
    assert limits.take("known", "192.0.2.1", "anna") == 0
    clock[0] += 3600
    assert limits.take("", "198.51.100.1", "anna") == 0


def test_a_right_password_costs_no_try(clock: list[float]) -> None:
    """Somebody who signs in often is not locked out."""
    limits = SignInLimits()
    for known in ("", "known"):
        for _ in range(40):
            assert limits.take(known, "192.0.2.1", "anna") == 0
            limits.give_back(known, "192.0.2.1", "anna")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("172.17.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "1.2.3.4, 203.0.113.9", "203.0.113.9"),
        ("192.168.1.2", "192.168.1.30", "192.168.1.30"),
        ("8.8.8.8", "203.0.113.9", "8.8.8.8"),
        ("172.17.0.1", "nonsense", "172.17.0.1"),
        ("172.17.0.1", "", "172.17.0.1"),
        ("172.17.0.1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::99", "", "2001:db8:1:2::"),
        ("::ffff:8.8.8.8", "203.0.113.9", "8.8.8.8"),
        ("::ffff:172.17.0.1", "203.0.113.9", "203.0.113.9"),
        ("172.17.0.1", "::ffff:203.0.113.9", "203.0.113.9"),
        ("testclient", "", "testclient"),
    ],
)
def test_an_address_is_what_the_proxy_saw(peer: str, forwarded: str, address: str) -> None:
    """The last entry, from a proxy on a private address; a customer's IPv6 network counts as one."""
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    assert client_address(Request({"type": "http", "client": (peer, 1), "headers": headers})) == address
