"""What signed-in users depend on, against a scripted engine and a key server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from http.server import HTTPServer
from typing import Any

import pytest

from tests.unit.conftest import Outcome
from tests.unit.conftest import Run
from tests.unit.scripted_engine import Container
from tests.unit.scripted_engine import ScriptedEngine


class Keys(HTTPServer):
    """Publishes keys."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.text = b""
        self.publish("k2", "k1")

    def publish(self, *keys: str) -> None:
        """Publish keys with these ids."""
        self.text = json.dumps({"keys": [{"kid": key, "kty": "RSA"} for key in keys]}).encode()

    @property
    def url(self) -> str:
        """Return where."""
        return f"http://127.0.0.1:{self.server_port}/.well-known/jwks.json"


class _Answer(BaseHTTPRequestHandler):
    server: Keys

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.text)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def keys() -> Iterator[Keys]:
    """Run a key server in a thread."""
    with Keys() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def auth(engine: ScriptedEngine) -> Container:
    """Let an authorization server run."""
    return engine.add("loop-auth", run=True)


def read(run: Run, engine: ScriptedEngine, keys: Keys, **more: Any) -> Outcome:
    """Run the module."""
    return run("session_state", container="loop-auth", url=keys.url, socket=engine.path, **more)


def test_container_and_keys_are_read(run: Run, engine: ScriptedEngine, keys: Keys, auth: Container) -> None:
    """The keys in their order, so that they can be compared."""
    sessions = {"id": auth.id, "started": "start 1", "keys": ["k1", "k2"]}
    assert read(run, engine, keys) == ("ok", {"changed": False, "sessions": sessions})


@pytest.mark.parametrize("there", [True, False])
def test_server_that_does_not_run_has_nobody_signed_in(
    run: Run, engine: ScriptedEngine, keys: Keys, there: bool
) -> None:
    """A first deployment has nobody to sign out."""
    if there:
        engine.add("loop-auth", status="exited")
    nobody: dict[str, Any] = {"id": "", "started": "", "keys": []}
    assert read(run, engine, keys)[1]["sessions"] == nobody
    assert read(run, engine, keys, before=nobody)[0] == "ok"


@pytest.mark.parametrize("text", [b"", b"<html>", b"[]", b"{}", b'{"keys": 3}', b'{"keys": [{}]}', b'{"keys": ["x"]}'])
def test_answer_that_is_no_set_of_keys_has_none(
    run: Run, engine: ScriptedEngine, keys: Keys, auth: Container, text: bytes
) -> None:
    """Nor has it any for a client."""
    keys.text = text
    assert read(run, engine, keys)[1]["sessions"]["keys"] == []


def test_proxy_of_the_environment_is_not_asked(
    run: Run, engine: ScriptedEngine, keys: Keys, auth: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the NAS itself that is asked."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert read(run, engine, keys)[1]["sessions"]["keys"] == ["k1", "k2"]


@pytest.mark.parametrize(
    ("script", "published", "touched", "sentence"),
    [
        ({}, ["k1", "k2"], False, None),
        ({}, ["k1", "k2", "k3"], False, None),
        ({"starts": 2}, ["k1", "k2"], False, "the container was restarted"),
        ({"starts": 2}, ["k1", "k2"], True, None),
        ({"id": "other"}, ["k1", "k2"], False, "another container runs, or none"),
        ({"id": "other"}, ["k1", "k2"], True, None),
        ({"status": "exited"}, ["k1", "k2"], False, "another container runs, or none, the signing key k1, k2 is not"),
        ({}, ["k2"], True, "the signing key k1 is not published any more"),
        ({"id": "other"}, [], True, "the signing key k1, k2 is not published any more"),
    ],
)
def test_what_changed_is_named(
    run: Run,
    engine: ScriptedEngine,
    keys: Keys,
    auth: Container,
    script: dict[str, Any],
    published: list[str],
    touched: bool,
    sentence: str | None,
) -> None:
    """A key that joined signs nobody out; one that went does, whatever the verb was about."""
    before = read(run, engine, keys)[1]["sessions"]
    keys.publish(*published)
    for name, value in script.items():
        setattr(auth, name, value)
    kind, result = read(run, engine, keys, before=before, touched=touched, timeout=1)
    assert kind == ("failed" if sentence else "ok")
    assert sentence is None or f"of loop-auth {sentence}" in result["msg"]


def test_keys_may_take_a_while_to_be_published_again(
    run: Run, engine: ScriptedEngine, keys: Keys, auth: Container
) -> None:
    """It has just been started."""
    before = read(run, engine, keys)[1]["sessions"]
    keys.publish()
    engine.clock.after(3, lambda: keys.publish("k1", "k2"))
    assert read(run, engine, keys, before=before)[0] == "ok"


def test_check_mode_compares_nothing(run: Run, engine: ScriptedEngine, keys: Keys, auth: Container) -> None:
    """Nothing was done that could have changed anything."""
    before = {"id": "other", "started": "", "keys": ["gone"]}
    assert read(run, engine, keys, check_mode=True, before=before)[0] == "ok"
