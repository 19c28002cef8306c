"""Which redirect URIs a client may register and use (RFC 6749, section 3.1.2; RFC 8252, section 7.3)."""

from __future__ import annotations

import re
from urllib.parse import SplitResult
from urllib.parse import urlsplit

from api.oauth.settings import LOOPBACK

#: The hosts of the clients that this service is for. Anyone may register; a code can only go here or to the
#: user's own machine.
HOSTS = frozenset({"claude.ai", "claude.com", "chatgpt.com"})

# The characters of a URI without those that Authlib refuses to put parameters behind, and without a fragment.
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/\[\]]+(\?([A-Za-z0-9\-._~=&;:+,*@!()/?]|%[0-9A-Fa-f]{2})*)?")


def is_allowed(uri: str) -> bool:
    """Tell whether ``uri`` may be registered: https on a known host, or http on loopback, nothing hidden in it."""
    url = _split(uri)
    if url is None or not url.path.startswith("/") or "@" in url.netloc:
        return False
    if url.scheme == "https":
        return url.netloc in HOSTS
    return url.scheme == "http" and url.hostname in LOOPBACK


def matches(registered: str, requested: str) -> bool:
    """Tell whether both are the same string, but for the port on loopback, which a client takes from the system."""
    if registered == requested:
        return True
    left, right = _split(registered), _split(requested)
    if left is None or right is None or not is_loopback(registered) or not is_allowed(requested):
        return False
    return _without_port(left) == _without_port(right)


def is_loopback(uri: str) -> bool:
    """Tell whether ``uri`` leads to a program on the user's own machine."""
    url = _split(uri)
    return url is not None and url.scheme == "http" and url.hostname in LOOPBACK


def host_of(uri: str) -> str:
    """Return the host, with its port, that a page shows to the user."""
    return urlsplit(uri).netloc


def _without_port(url: SplitResult) -> SplitResult:
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or ""
    return url._replace(netloc=host)


def _split(uri: str) -> SplitResult | None:
    if len(uri) > 2000 or not _PLAIN.fullmatch(uri):
        return None
    try:
        url = urlsplit(uri)
        # Raises for a port that is no number or out of range.
        return url if url.port is None or url.port > 0 else None
    except ValueError:
        return None
