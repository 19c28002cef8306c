"""A restore on a disk that fills, and one whose backup does not work where less was before."""

from __future__ import annotations

import errno
import itertools
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.loop_journal import Journal
from ansible.module_utils.loop_problem import Problem

from tests.unit.conftest import Run
from tests.unit.scripted_engine import Container
from tests.unit.scripted_engine import ScriptedEngine
from tests.unit.test_auth_backup import Auth
from tests.unit.test_auth_backup import auth as auth
from tests.unit.test_auth_backup import restore
from tests.unit.test_auth_backup import seen_starts
from tests.unit.test_auth_backup import server as server
from tests.unit.test_restore_interrupted import NEW
from tests.unit.test_restore_interrupted import OLD
from tests.unit.test_restore_interrupted import backups as backups
from tests.unit.test_restore_interrupted import heal
from tests.unit.test_restore_interrupted import journal
from tests.unit.test_restore_interrupted import known
from tests.unit.test_restore_interrupted import leave

FULL = OSError(errno.ENOSPC, "No space left on device")


def fill(monkeypatch: pytest.MonkeyPatch, first: int = 0) -> None:
    """Let the disk be full from the copy on that has this number; half of that still finds room."""
    numbers, whole = itertools.count(), shutil.copyfileobj

    def copy(source: Any, target: Any, *more: Any) -> None:
        if next(numbers) < first:
            return whole(source, target, *more)
        target.write(source.read(3))
        raise FULL

    monkeypatch.setattr(shutil, "copyfileobj", copy)


def refuse_journal(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    """Let the journal be written no more, from the entry on that has this number."""
    numbers, write = itertools.count(), Journal.write

    def written(self: Journal, entry: dict[str, Any]) -> None:
        if next(numbers) >= first:
            raise Problem(f"{self.path} cannot be written (No space left on device): nothing was touched.")
        write(self, entry)

    monkeypatch.setattr(Journal, "write", written)


def leftovers(auth: Auth) -> list[Path]:
    """Return the files that a copy which failed left behind."""
    return [*auth.database.parent.rglob("*.restored"), *auth.backups.glob("*.partial")]


def fail_first(engine: ScriptedEngine, server: Container) -> None:
    """Let the container start no sooner than at the second time."""
    server.refusal = "wrong version"
    engine.hook = lambda: setattr(server, "refusal", "" if seen_starts(engine) > 1 else server.refusal)


@pytest.mark.parametrize("copies", [0, 1])
def test_disk_that_fills_is_noticed_before_the_service_is_stopped(
    run: Run,
    auth: Auth,
    engine: ScriptedEngine,
    server: Container,
    backups: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
    copies: int,
) -> None:
    """Everything is copied first, so that the rest needs no space."""
    fill(monkeypatch, copies)
    kind, result = restore(run, auth, engine, backups[0])
    assert kind == "failed" and "No space left on device): free space on the NAS" in result["msg"]
    assert result["msg"].endswith("nothing was touched.")
    assert (known(auth), server.starts, server.policy) == (NEW, 1, "unless-stopped")
    assert leftovers(auth) == [] and not journal(engine).exists()


def test_backup_that_finds_no_room_leaves_nothing(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backups: tuple[str, str], monkeypatch: Any
) -> None:
    """Half a database would fill the disk for good."""

    def copy(source: str, target: str) -> None:
        Path(target).write_text("half")
        raise FULL

    monkeypatch.setattr(shutil, "copy2", copy)
    assert "free space on the NAS; nothing was touched." in restore(run, auth, engine, backups[0])[1]["msg"]
    assert leftovers(auth) == [] and server.starts == 1


def test_journal_that_cannot_be_written_behind_the_files_stops_nobody(
    run: Run,
    auth: Auth,
    engine: ScriptedEngine,
    server: Container,
    backups: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All files are in place."""
    refuse_journal(monkeypatch, 1)
    assert restore(run, auth, engine, backups[0])[0] == "ok"
    assert (known(auth), server.status, server.policy) == (OLD, "running", "unless-stopped")


def test_journal_that_cannot_be_written_is_no_obstacle_on_the_way_back(
    run: Run,
    auth: Auth,
    engine: ScriptedEngine,
    server: Container,
    backups: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The service is down."""
    fail_first(engine, server)
    refuse_journal(monkeypatch, 1)
    assert restore(run, auth, engine, backups[0])[1]["rolled_back"] is True
    assert (known(auth), server.status, server.policy) == (NEW, "running", "unless-stopped")
    assert not journal(engine).exists()


def test_way_back_that_finds_no_room_starts_the_service_at_least(
    run: Run,
    auth: Auth,
    engine: ScriptedEngine,
    server: Container,
    backups: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And leaves it as it was otherwise."""
    fail_first(engine, server)
    fill(monkeypatch, 2)
    msg = restore(run, auth, engine, backups[0])[1]["msg"]
    assert ": bringing back what it had before failed, too" in msg and "No space left" in msg
    assert (known(auth), server.status, server.policy) == (OLD, "running", "unless-stopped")
    assert leftovers(auth) == []


def test_healing_that_finds_no_room_starts_the_service_and_is_tried_again(
    run: Run,
    auth: Auth,
    engine: ScriptedEngine,
    server: Container,
    backups: tuple[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half of the files may be in place."""
    server.ends(137)
    leave(engine, *backups)
    with monkeypatch.context() as patch:
        fill(patch)
        msg = heal(run, auth, engine)[1]["msg"]
    assert msg.endswith("and loop-auth runs release 1a2b: free space on the NAS and run `loopdeploy recover`.")
    assert leftovers(auth) == [] and server.running
    assert heal(run, auth, engine)[0] == "ok" and known(auth) == OLD


def remove_database(auth: Auth) -> None:
    """Remove it, with what SQLite keeps beside it."""
    auth.writer.close()
    for file in auth.database.parent.glob("oauth.db*"):
        file.unlink()


def remove_keys(auth: Auth) -> None:
    """Remove them, and their directory."""
    shutil.rmtree(auth.keys)


def test_no_database_before_is_none_after_the_way_back(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backups: tuple[str, str]
) -> None:
    """It would be of another backup than the keys."""
    remove_database(auth)
    fail_first(engine, server)
    assert "what it had before was brought back" in restore(run, auth, engine, backups[0])[1]["msg"]
    assert not list(auth.database.parent.glob("oauth.db*"))
    assert [file.name for file in auth.keys.iterdir()] == ["k2.pem"]


def test_no_keys_before_are_none_after_the_way_back(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backups: tuple[str, str]
) -> None:
    """Their directory stays: loop-api may have it mounted meanwhile."""
    remove_keys(auth)
    fail_first(engine, server)
    assert "what it had before was brought back" in restore(run, auth, engine, backups[0])[1]["msg"]
    assert known(auth) == (["ann", "bob"], [])


def test_nothing_before_cannot_be_brought_back(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backups: tuple[str, str]
) -> None:
    """The message says so, and which state the container is in."""
    remove_database(auth)
    remove_keys(auth)
    server.refusal = "wrong version"
    kind, result = restore(run, auth, engine, backups[0])
    assert kind == "failed" and ": it had nothing before that could be brought back" in result["msg"]
    assert server.policy == "unless-stopped" and not journal(engine).exists()


@pytest.mark.parametrize("lacking", ["oauth.db", "keys"])
def test_backup_that_lacks_something_leaves_what_is_there(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backups: tuple[str, str], lacking: str
) -> None:
    """Who asks for a backup wants what is in it; a database that it knows nothing of is nobody's to remove."""
    path = auth.backups / backups[0] / lacking
    path.unlink() if path.is_file() else shutil.rmtree(path)
    assert restore(run, auth, engine, backups[0])[0] == "ok"
    assert known(auth) == ((NEW[0], OLD[1]) if lacking == "oauth.db" else (OLD[0], NEW[1]))
