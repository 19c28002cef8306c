"""Clients behind the reverse proxy while loop-api's container is stopped, started and replaced."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from tests.lab.checkout import append
from tests.lab.checkout import restored
from tests.lab.conftest import DOCKER
from tests.lab.conftest import Nas
from tests.lab.conftest import deploy
from tests.lab.sign_in import public_url
from tests.lab.sign_in import tokens
from tests.lab.sign_in import trust
from tests.services.api.service import Client
from tests.services.api.slow_tool import add_dawdle
from tests.services.api.streams import Stream
from tests.services.api.test_restart import dawdle
from tests.services.waiting import eventually

# uvicorn ends with 0 as process 1, and by the signal where an init stands before it.
CLEAN = (0, 143)
# Behind what api/tools.py has. A slow body would be no call under way: nginx keeps it until it is whole.
SLOW_TOOL = f"""
import asyncio
{inspect.getsource(add_dawdle)}
quick_server = mcp_server
mcp_server = lambda notes: add_dawdle(quick_server(notes))
"""


@pytest.fixture(scope="module")
def token() -> str:
    """Return a token that outlives every container here."""
    return str(tokens(Nas())["access_token"])


@pytest.fixture
def slow(nas: Nas) -> Iterator[Nas]:
    """Return the NAS with a loop-api that has a slow tool."""
    append(nas, SLOW_TOOL, "api/tools.py")
    try:
        deploy("rebuild")
        yield nas
    finally:
        restored(nas)
        deploy("rebuild")


@pytest.fixture
def stopped(nas: Nas) -> Iterator[Nas]:
    """Return the NAS, and start what the test stopped."""
    yield nas
    nas.docker("start", "loop-api")
    eventually(lambda: nas.inspect("loop-api")["State"]["Health"]["Status"] == "healthy", 60)


def client(nas: Nas, token: str) -> Client:
    """Return a client that comes through the reverse proxy."""
    return Client(public_url(), token, trust(nas))


def stopped_in(nas: Nas) -> float:
    """Stop loop-api and return, by the NAS's own clock, the seconds from the command to a clean end."""
    began = float(nas.run("sh", "-c", f"date +%s.%N && {DOCKER} stop loop-api > /dev/null"))
    state = nas.inspect("loop-api")["State"]
    assert state["ExitCode"] in CLEAN, state
    return datetime.fromisoformat(state["FinishedAt"]).timestamp() - began


def test_idle_streams_do_not_hold_the_container(stopped: Nas, token: str) -> None:
    """Clients of HTTP+SSE that wait for nothing; each sees the end of its stream."""
    with client(stopped, token) as first, client(stopped, token) as second:
        streams = [Stream(first), Stream(second)]
        streams[0].initialize()
        try:
            assert stopped_in(stopped) < 2
            assert all(stream.ended.wait(5) for stream in streams)
        finally:
            for stream in streams:
                stream.close()


def test_a_call_under_way_is_answered(slow: Nas, stopped: Nas, token: str) -> None:
    """The container waits for it, and the reverse proxy passes the answer on."""
    with client(slow, token) as caller, ThreadPoolExecutor() as threads:
        call = threads.submit(dawdle, caller, 6, "2025-11-25")
        time.sleep(1)
        assert 3 < stopped_in(stopped) < 7
        answer = call.result()
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"]["content"][0]["text"] == "done"


def test_a_session_ends_with_its_container(nas: Nas, token: str) -> None:
    """HTTP+SSE: its old id gets 404, and the client opens another with the token that it has."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    with client(nas, token) as caller:
        stream = Stream(caller)
        try:
            stream.initialize()
            deploy("rebuild", "--force")
            assert stream.ended.wait(5)
        finally:
            stream.close()
        assert caller.post(stream.path, json=message).status_code == 404
        again = Stream(caller)
        try:
            assert again.initialize()["result"]["serverInfo"]["name"] == "loop"
        finally:
            again.close()
