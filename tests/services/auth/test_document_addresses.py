"""Where a client's metadata document may be: at no private address, however its name resolves."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from api.oauth import client_documents
from api.oauth.client_documents import ClientDocuments
from api.oauth.client_documents import DocumentError

URL = "https://app.example/oauth/client.json"
ADDRESS = "203.0.113.9"

Entries = list[tuple[int, int, int, str, tuple[str, int]]]


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.17.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0",
        "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:1::", "nonsense", "",
    ],
)  # fmt: skip
def test_a_private_address_is_no_place_for_a_document(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Also when one of several is, and before anything is sent."""

    def resolve(*args: object, **kwargs: object) -> Entries:
        return [(2, 1, 6, "", ("1.1.1.1", 443)), (2, 1, 6, "", (address, 443))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", lambda *args, **kwargs: pytest.fail("connected"))
    with pytest.raises(DocumentError, match="not on the public Internet"):
        ClientDocuments().client(URL, ADDRESS)


def test_the_address_that_was_checked_is_the_one_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves to another address the second time gains nothing (DNS rebinding)."""
    resolved, connected = [], []

    def resolve(*args: object, **kwargs: object) -> Entries:
        resolved.append(args[0])
        return [(2, 1, 6, "", ("1.1.1.1" if len(resolved) == 1 else "127.0.0.1", 443))]

    def connect(address: tuple[str, int], *args: object, **kwargs: object) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(DocumentError):
        ClientDocuments().client(URL, ADDRESS)
    assert (resolved, connected) == (["app.example"], [("1.1.1.1", 443)])


def test_a_name_that_resolves_slowly_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its server is in the hands of whoever named it."""
    over = threading.Event()

    def resolve(*args: object, **kwargs: object) -> Entries:
        over.wait(10)
        return []

    monkeypatch.setattr(client_documents, "STEP", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    began = time.monotonic()
    with pytest.raises(DocumentError, match="cannot be fetched"):
        ClientDocuments().client(URL, ADDRESS)
    over.set()
    assert time.monotonic() - began < 5
