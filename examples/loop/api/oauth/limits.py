"""How often something may be done: by an address, a name, or all together. Kept in memory, so a restart forgets it."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import deque

from starlette.requests import Request

#: The most keys that one limit remembers; a flood of addresses cannot fill the memory.
MOST_KEYS = 10_000


class Limit:
    """At most ``most`` times in ``seconds`` for each key."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most = most
        self.seconds = seconds
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {}

    def take(self, key: str = "") -> int:
        """Count one more and return 0, or return the seconds to wait until it is allowed."""
        now = time.monotonic()
        with self._lock:
            times = self._recent(key, now)
            if len(times) >= self.most:
                return math.ceil(times[0] + self.seconds - now)
            times.append(now)
            # Moved to the end: the oldest key is the first to be forgotten.
            self._times[key] = times
            if len(self._times) > MOST_KEYS:
                del self._times[next(iter(self._times))]
            return 0

    def give_back(self, key: str) -> None:
        """Take back the last count."""
        with self._lock:
            if times := self._times.get(key):
                times.pop()

    def _recent(self, key: str, now: float) -> deque[float]:
        times = self._times.pop(key, deque())
        while times and times[0] <= now - self.seconds:
            times.popleft()
        if times:
            self._times[key] = times
        return times


class SignInLimits:
    """How often a password may be tried.

    A browser in which the user has signed in before has tries of its own, so nobody can lock an owner out who has such
    a browser. Elsewhere an address has few tries and a name has some from all addresses together; both come back with
    time, so without such a browser an owner waits for an hour at most after an attack.
    """

    def __init__(self) -> None:
        self.browser = Limit(10, 900)
        self.address = Limit(10, 900)
        self.name = Limit(30, 3600)

    def take(self, known_browser: str, address: str, name: str) -> int:
        """Count a try and return 0, or return the seconds to wait."""
        if known_browser:
            return self.browser.take(known_browser)
        wait = self.address.take(address)
        return wait or self.name.take(name)

    def give_back(self, known_browser: str, address: str, name: str) -> None:
        """Take a try back that was right."""
        if known_browser:
            self.browser.give_back(known_browser)
        else:
            self.address.give_back(address)
            self.name.give_back(name)


def client_address(request: Request) -> str:
    """Return the address that a request came from, of IPv6 the network that one customer gets.

    From a private address, which is a proxy's or Docker's, it is the last one in X-Forwarded-For: the proxy wrote it.
    What stands before it anybody may have written.
    """
    peer = request.client.host if request.client else ""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    address = _parsed(peer)
    if address is not None and address.is_private and (behind := _parsed(forwarded)):
        address = behind
    if address is None:
        return peer
    return str(ipaddress.ip_network((address, 64 if address.version == 6 else 32), strict=False).network_address)


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A socket for both kinds writes IPv4 so, which would all be one network of IPv6, and a private one.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
