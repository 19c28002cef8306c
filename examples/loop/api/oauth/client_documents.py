"""Client ID metadata documents: a client whose id is the https URL of a JSON document about it.

Whoever opens /authorize names a URL that this service then fetches, from inside the home network. So: https on port
443 only, every address that the name resolves to must be public, the connection goes to an address that was checked,
no redirect is followed, and size, time and frequency are bounded (OAuth Client ID Metadata Document, section 6).
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from urllib.parse import urlsplit

from api.oauth import redirects
from api.oauth.clients import Client
from api.oauth.clients import readable_name
from api.oauth.limits import Limit
from api.oauth.messages import read_json

#: Bounds of a fetch: bytes, seconds for each step, the name's resolution among them, and for all others together.
LARGEST = 10 * 1024
STEP, TIME = 3.0, 5.0
#: How many are fetched in a minute, for one address and for all.
EACH, ALL = 10, 60
#: How long a document is used, in seconds, and how many are kept.
CACHED, MOST_CACHED = 600, 100

_URL = re.compile(r"https://[a-z0-9.-]+(/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)+/?(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?")


class DocumentError(Exception):
    """There is no usable document; the message says why."""


class ClientDocuments:
    """Fetches and keeps the documents. Tests give their own ``connect`` to reach a server of theirs."""

    def __init__(self, connect: Callable[[str], PinnedConnection] | None = None) -> None:
        self._connect = connect or connect_to_public
        self._cache: dict[str, tuple[float, Client]] = {}
        self._lock = threading.Lock()
        self._each, self._all = Limit(EACH, 60), Limit(ALL, 60)

    def client(self, url: str, address: str) -> Client:
        """Return the client that the document at ``url`` describes, or raise DocumentError; ``address`` asks for it."""
        check_url(url)
        with self._lock:
            expires, client = self._cache.get(url, (0.0, None))
        if client is not None and expires > time.monotonic():
            return client
        if self._each.take(address) or self._all.take():
            raise DocumentError("Too many documents are asked for; try again in a minute.")
        client = read_document(url, self._fetch(url))
        with self._lock:
            self._cache.pop(url, None)
            self._cache[url] = (time.monotonic() + CACHED, client)
            if len(self._cache) > MOST_CACHED:
                del self._cache[next(iter(self._cache))]
        return client

    def _fetch(self, url: str) -> bytes:
        parts = urlsplit(url)
        try:
            connection = self._connect(parts.hostname or "")
            # Each step has its own limit; a server that answers a byte at a time meets this one.
            timer = threading.Timer(TIME, connection.cut)
            timer.start()
            try:
                target = url.removeprefix(f"https://{parts.netloc}")
                connection.request("GET", target, headers={"Accept": "application/json"})
                return _read(connection.getresponse())
            finally:
                timer.cancel()
                connection.close()
        except (OSError, UnicodeError, http.client.HTTPException) as error:
            raise DocumentError("The client's document cannot be fetched.") from error


class PinnedConnection(http.client.HTTPSConnection):
    """A connection to one address whose certificate must be that of ``host``."""

    def __init__(self, host: str, address: str, port: int = 443, context: ssl.SSLContext | None = None) -> None:
        self._context = context or ssl.create_default_context()
        super().__init__(host, port, timeout=STEP, context=self._context)
        self._address = address
        self._wire: ssl.SSLSocket | None = None

    def connect(self) -> None:
        """Connect without asking for the name again, which may lead elsewhere by now."""
        plain = socket.create_connection((self._address, self.port), self.timeout)
        # Known before the handshake, so that it can be cut there too.
        self._wire = self._context.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock = self._wire
        self._wire.do_handshake()

    def cut(self) -> None:
        """End the connection from another thread, whatever it waits for."""
        if self._wire is not None:
            with suppress(OSError):
                # Not TLS's own shutdown, which is for the thread that reads.
                socket.socket.shutdown(self._wire, socket.SHUT_RDWR)


def connect_to_public(host: str) -> PinnedConnection:
    """Return a connection to ``host`` when all its addresses are public, or raise DocumentError."""
    addresses = _addresses(host)
    if not addresses or not all(is_public(address) for address in addresses):
        raise DocumentError("The client's document is not on the public Internet.")
    return PinnedConnection(host, addresses[0])


def _addresses(host: str) -> list[str]:
    """Return what ``host`` resolves to; raises OSError, after STEP too: a stranger's server answers as it likes."""
    found: Future[list[str]] = Future()

    def resolve() -> None:
        try:
            entries = socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)
            found.set_result([str(entry[4][0]) for entry in entries])
        except (OSError, UnicodeError) as error:
            found.set_exception(error)

    # The system's resolver takes no limit; one that is too slow is left behind.
    threading.Thread(target=resolve, name="resolve", daemon=True).start()
    return found.result(STEP)


def is_public(address: str) -> bool:
    """Tell whether an address is on the Internet and not in a home, a machine or a cloud's own network."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        # With a zone, as link-local addresses have.
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if any(ip in network for network in _TRANSLATED):
            return False
        ip = ip.ipv4_mapped or ip
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


# IPv6 that a gateway turns into IPv4, private addresses too: NAT64, 6to4, Teredo, and IPv4-compatible.
_TRANSLATED = [
    ipaddress.ip_network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
]


def check_url(url: str) -> None:
    """Raise DocumentError for a URL that cannot be a client's id (draft, section 3)."""
    parts = urlsplit(url)
    dots = {".", ".."} & set(parts.path.split("/"))
    if len(url) > 500 or not _URL.fullmatch(url) or dots or "%2e" in url.lower():
        raise DocumentError("The client's id is no https URL of a document.")


def read_document(url: str, content: bytes) -> Client:
    """Return the client that a document describes, or raise DocumentError."""
    try:
        document = read_json(content)
    except ValueError as error:
        raise DocumentError("The client's document is not JSON.") from error
    if document.get("client_id") != url:
        raise DocumentError("The client's document is about another client.")
    if document.get("token_endpoint_auth_method", "none") != "none" or "client_secret" in document:
        raise DocumentError("The client's document asks for a secret; only public clients have documents here.")
    name = document.get("client_name", "")
    return Client(url, readable_name(name) if isinstance(name, str) else "", _redirect_uris(document))


def _redirect_uris(document: dict[str, object]) -> tuple[str, ...]:
    uris = document.get("redirect_uris")
    allowed = [isinstance(uri, str) and redirects.is_allowed(uri) for uri in uris] if isinstance(uris, list) else []
    if not isinstance(uris, list) or not allowed or not all(allowed):
        raise DocumentError("The client's document has redirect URIs that are not allowed here.")
    return tuple(uris)


def _read(response: http.client.HTTPResponse) -> bytes:
    if response.status != 200:
        raise DocumentError(f"The client's document answers {response.status}.")
    content = response.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise DocumentError("The client's document is too large.")
    return content
