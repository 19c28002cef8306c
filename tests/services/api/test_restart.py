"""SIGTERM, as ``docker stop`` sends it: what it cuts off, what it waits for, and who goes on afterwards."""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.services.api.issuer import Issuer
from tests.services.api.service import CODE
from tests.services.api.service import Client
from tests.services.api.service import Service
from tests.services.api.streams import Stream

# uvicorn ends by the signal when it is not PID 1; as PID 1 it exits with 0.
CLEAN = (0, -signal.SIGTERM)


@pytest.fixture
def slow(own_issuer: Issuer, tmp_path: Path) -> Iterator[Service]:
    """Return loop-api with a tool that takes its time."""
    service = Service(tmp_path, own_issuer.url, "tests.services.api.slow_app:app")
    (service.vault / "README.md").write_text("# The vault\n")
    yield service
    service.stop()


def stopped_in(service: Service) -> float:
    """Return the seconds from SIGTERM to a clean exit."""
    started = time.monotonic()
    service.terminate()
    assert service.wait(15) in CLEAN
    assert "Traceback" not in service.log.read_text()
    return time.monotonic() - started


def test_idle_streams_do_not_hold_it(slow: Service, own_issuer: Issuer) -> None:
    """Of HTTP+SSE, of Streamable HTTP, and connections that are kept for later."""
    slow.start()
    # The kept one first: uvicorn would not close one that it accepts in the moment in which it stops.
    kept = socket.create_connection(("127.0.0.1", slow.port))
    with kept, slow.client(own_issuer.token()) as client, slow.client(own_issuer.token()) as other:
        first, second = Stream(client), Stream(other)
        first.initialize()
        listening = {"Accept": "text/event-stream", "Mcp-Protocol-Version": "2025-11-25"}
        with other.stream("GET", "/mcp", headers=listening) as get:
            assert get.status_code in (200, 405)
            assert stopped_in(slow) < 2
        assert first.ended.wait(1) and second.ended.wait(1)
        first.close()
        second.close()


def test_calls_under_way_are_answered(slow: Service, own_issuer: Issuer) -> None:
    """Of both revisions over POST, while new connections are refused; an idle stream beside them changes nothing."""
    slow.start()
    with slow.client(own_issuer.token()) as client, slow.client(own_issuer.token()) as other:
        stream = Stream(other)
        with ThreadPoolExecutor() as threads:
            calls = [threads.submit(dawdle, client, 2, revision) for revision in ("2025-11-25", "2026-07-28")]
            time.sleep(0.7)
            assert 0.8 < stopped_in(slow) < 4
            answers = [call.result() for call in calls]
        stream.close()
    for answer in answers:
        assert answer.status_code == 200
        assert answer.json()["result"]["content"][0]["text"] == "done"


def test_call_that_takes_too_long_is_given_up(slow: Service, own_issuer: Issuer) -> None:
    """When uvicorn's patience ends, here after 2 s."""
    slow.patience = 2
    slow.start()
    with slow.client(own_issuer.token()) as client:
        call = threading.Thread(target=lambda: give_up(client))
        call.start()
        time.sleep(0.7)
        started = time.monotonic()
        slow.terminate()
        assert slow.wait(12) in CLEAN
        assert 1.8 < time.monotonic() - started < 5
        call.join()


def test_image_has_patience_for_eight_seconds() -> None:
    """Docker's own ends after 10 s, with a kill; a shell before uvicorn would swallow the signal."""
    command = json.loads((CODE / "Dockerfile").read_text().splitlines()[-1].removeprefix("CMD "))
    assert command[:2] == ["uvicorn", "api.main:app"] and "--workers" not in command
    assert command[-2:] == ["--timeout-graceful-shutdown", "8"]


def give_up(client: Client) -> None:
    """Make a call whose answer may be an error or a cut."""
    try:
        assert dawdle(client, 25, "2025-11-25").status_code >= 500
    except httpx2.HTTPError:
        pass


def dawdle(client: Client, seconds: float, revision: str) -> httpx2.Response:
    """Call the slow tool as a client of ``revision``."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": revision,
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "dawdle", "arguments": {"seconds": seconds}, "_meta": meta},
    }
    headers = {
        "Accept": "application/json, text/event-stream",
        "Mcp-Protocol-Version": revision,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "dawdle",
    }
    return client.post("/mcp", json=message, headers=headers)


def test_client_goes_on_after_a_restart(own_service: Service, own_issuer: Issuer) -> None:
    """With its token, and its old session id, without a handshake; only an HTTP+SSE session is over."""
    own_service.start()
    token = own_issuer.token()
    with own_service.client(token) as client:
        assert client.answer("read", path="README.md")["title"] == "The vault"
        stream = Stream(client)
        stream.initialize()
        assert stopped_in(own_service) < 2
        stream.close()
        own_issuer.stop()
        own_service.start()
        assert client.answer("read", path="README.md")["title"] == "The vault"
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        assert client.post(stream.path, json=message).status_code == 404
        again = Stream(client)
        assert again.initialize()["result"]["serverInfo"]["name"] == "loop"
        again.close()


def test_stop_while_the_index_is_made(own_service: Service, own_issuer: Issuer) -> None:
    """A large vault on a slow disk does not hold the container either."""
    for number in range(3000):
        (own_service.vault / f"{number}.md").write_text(f"# Note {number}\n" + "words " * 500)
    own_service.start()
    assert stopped_in(own_service) < 2
