"""What signed-in users depend on, against a scripted engine and a key server."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from http.server import HTTPServer
from pathlib import Path
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
    directory = str(Path(engine.path).with_name("keys"))
    return run("session_state", container="loop-auth", url=keys.url, keys=directory, socket=engine.path, **more)


@pytest.fixture
def files(engine: ScriptedEngine) -> Path:
    """Return the directory of the keys."""
    directory = Path(engine.path).with_name("keys")
    directory.mkdir()
    return directory


def test_container_and_keys_are_read(run: Run, engine: ScriptedEngine, keys: Keys, auth: Container) -> None:
    """The keys in their order, so that they can be compared."""
    sessions = {"id": auth.id, "started": "start 1", "keys": ["k1", "k2"], "files": []}
    assert read(run, engine, keys) == ("ok", {"changed": False, "sessions": sessions, "lost": []})


@pytest.mark.parametrize("there", [True, False])
def test_server_without_keys_has_nobody_signed_in(run: Run, engine: ScriptedEngine, keys: Keys, there: bool) -> None:
    """A first deployment has nobody to sign out."""
    if there:
        engine.add("loop-auth", status="exited")
    nobody: dict[str, Any] = {"id": "", "started": "", "keys": [], "files": []}
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
    before = {"id": "other", "started": "", "keys": ["gone"], "files": []}
    assert read(run, engine, keys, check_mode=True, before=before)[0] == "ok"


# Ids as loop-auth makes them of its keys.
FIRST, SECOND = "a" * 43, "b-_" + "c" * 40


def test_key_is_known_by_the_name_of_its_file(run: Run, engine: ScriptedEngine, keys: Keys, files: Path) -> None:
    """In each of its stages; one whose name says nothing of it by its content. A link leads nowhere."""
    for name in (f"{FIRST}.pem", f"1700000000.{SECOND}.pem", f"1700000000.{SECOND}.pub", "x.pem.partial", ".gitignore"):
        (files / name).write_text("one")
    (files / "linked.pem").symlink_to(files / f"{FIRST}.pem")
    (files / "@eaDir").mkdir()
    assert read(run, engine, keys)[1]["sessions"]["files"] == [FIRST, SECOND]
    (files / "private.pem").write_text("one")
    (first,) = set(read(run, engine, keys)[1]["sessions"]["files"]) - {FIRST, SECOND}
    (files / "private.pem").write_text("two")
    (second,) = set(read(run, engine, keys)[1]["sessions"]["files"]) - {FIRST, SECOND}
    assert first.startswith("private (") and second.startswith("private (") and first != second


@pytest.mark.parametrize("state", ["stopped", "deaf"])
@pytest.mark.parametrize("change", ["none", "retired", "added", "other", "removed", "overwritten"])
def test_files_are_compared_where_no_key_was_published(
    run: Run, engine: ScriptedEngine, keys: Keys, auth: Container, files: Path, state: str, change: str
) -> None:
    """Users stay signed in over a time in which the server is down, as long as its keys stay."""
    auth.status = "exited" if state == "stopped" else "running"
    keys.publish()
    (files / f"5.{FIRST}.pem").write_text("one")
    (files / "legacy.pem").write_text("two")
    before = read(run, engine, keys)[1]["sessions"]
    if change in ("retired", "other"):
        (files / f"5.{FIRST}.pem").rename(files / (f"5.{FIRST}.pub" if change == "retired" else f"5.{SECOND}.pem"))
    elif change == "added":
        (files / f"9.{SECOND}.pem").write_text("three")
    elif change == "removed":
        (files / f"5.{FIRST}.pem").unlink()
    elif change == "overwritten":
        (files / "legacy.pem").write_text("another")
    kind, result = read(run, engine, keys, before=before, timeout=1)
    if change in ("none", "retired", "added"):
        assert (kind, result.get("lost")) == ("ok", [])
    else:
        gone = "legacy (" if change == "overwritten" else f"{FIRST} is not there"
        assert kind == "failed" and f"of loop-auth the signing key {gone}" in result["msg"]


@pytest.mark.parametrize(("published", "kind"), [((FIRST, SECOND), "ok"), ((SECOND,), "failed")])
def test_server_that_comes_back_must_publish_the_keys_that_were_there(
    run: Run, engine: ScriptedEngine, keys: Keys, files: Path, published: tuple[str, ...], kind: str
) -> None:
    """It may have been given another directory than the one that is looked at."""
    auth = engine.add("loop-auth", status="exited")
    (files / f"5.{FIRST}.pem").write_text("one")
    before = read(run, engine, keys)[1]["sessions"]
    auth.status = "running"
    keys.publish(*published)
    assert read(run, engine, keys, before=before, timeout=1)[0] == kind


def test_keys_that_were_meant_to_change_are_told(run: Run, engine: ScriptedEngine, keys: Keys, auth: Container) -> None:
    """A restore brings others, and says how many are gone once the server has published what it has now."""
    before = read(run, engine, keys)[1]["sessions"]
    keys.publish()
    engine.clock.after(3, lambda: keys.publish("k0", "k1"))
    kind, result = read(run, engine, keys, before=before, touched=True, meant=True)
    assert (kind, result["lost"], result["sessions"]["keys"]) == ("ok", ["k2"], ["k0", "k1"])


@pytest.mark.parametrize("away", [20, 200])
def test_engine_that_restarts_is_waited_for_in_the_middle_of_a_verb_alone(
    run: Run, engine: ScriptedEngine, keys: Keys, auth: Container, away: int
) -> None:
    """Before anything was begun, its absence is told at once."""
    before, path, hidden = read(run, engine, keys)[1]["sessions"], engine.path, f"{engine.path}.away"
    for more, waits in (({}, False), ({"patient": True}, True), ({"before": before}, True)):
        os.rename(path, hidden)
        engine.clock.after(away, lambda: os.rename(hidden, path))
        asked = engine.clock.now
        kind, result = read(run, engine, keys, **more)
        waited = engine.clock.now - asked
        assert waited == pytest.approx(min(away, 90) if waits else 0, abs=1)
        assert kind == ("ok" if waits and away < 90 else "failed")
        assert kind == "ok" or "The Docker engine does not answer" in result["msg"]
        engine.clock.sleep(away)
