"""A restore on a disk that fills, and one whose backup does not work where less was before."""

from __future__ import annotations

import errno
import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.loop_journal import Journal
from ansible.module_utils.loop_problem import Problem

from tests.unit.conftest import Outcome
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


@dataclass(frozen=True)
class Scene:
    """loop-auth as it runs, with what it knows now, and a backup of what it knew before."""

    run: Run
    auth: Auth
    engine: ScriptedEngine
    server: Container
    old: str
    new: str

    def restore(self) -> Outcome:
        """Bring the old backup back."""
        return restore(self.run, self.auth, self.engine, self.old)

    def heal(self) -> Outcome:
        """Do what every verb does that finds the journal."""
        return heal(self.run, self.auth, self.engine)

    def state(self) -> tuple[object, ...]:
        """Return what loop-auth knows, whether it runs, and its restart policy."""
        return known(self.auth), self.server.status, self.server.policy

    def leftovers(self) -> list[Path]:
        """Return the files that a copy which failed left behind."""
        return [*self.auth.database.parent.rglob("*.restored"), *self.auth.backups.glob("*.partial")]

    def fail_first(self) -> None:
        """Let the container start no sooner than at the second time."""
        server = self.server
        server.refusal = "wrong version"
        self.engine.hook = lambda: setattr(server, "refusal", "" if seen_starts(self.engine) > 1 else server.refusal)


@pytest.fixture
def scene(run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backups: tuple[str, str]) -> Scene:
    """Let loop-auth run, with both backups."""
    return Scene(run, auth, engine, server, *backups)


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


@pytest.mark.parametrize("copies", [0, 1])
def test_disk_that_fills_is_noticed_before_the_service_is_stopped(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, copies: int
) -> None:
    """Everything is copied first, so that the rest needs no space."""
    fill(monkeypatch, copies)
    kind, result = scene.restore()
    assert kind == "failed" and "No space left on device): free space on the NAS" in result["msg"]
    assert result["msg"].endswith("nothing was touched.")
    assert (known(scene.auth), scene.server.starts, scene.server.policy) == (NEW, 1, "unless-stopped")
    assert scene.leftovers() == [] and not journal(scene.engine).exists()


def test_backup_that_finds_no_room_leaves_nothing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a database would fill the disk for good."""

    def copy(source: str, target: str) -> None:
        Path(target).write_text("half")
        raise FULL

    monkeypatch.setattr(shutil, "copy2", copy)
    assert "free space on the NAS; nothing was touched." in scene.restore()[1]["msg"]
    assert scene.leftovers() == [] and scene.server.starts == 1


def test_journal_that_cannot_be_written_behind_the_files_stops_nobody(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All files are in place."""
    refuse_journal(monkeypatch, 1)
    assert scene.restore()[0] == "ok"
    assert scene.state() == (OLD, "running", "unless-stopped")


def test_journal_that_cannot_be_written_is_no_obstacle_on_the_way_back(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service is down."""
    scene.fail_first()
    refuse_journal(monkeypatch, 1)
    assert scene.restore()[1]["rolled_back"] is True
    assert scene.state() == (NEW, "running", "unless-stopped")
    assert not journal(scene.engine).exists()


def test_way_back_that_finds_no_room_starts_the_service_at_least(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """And leaves it as it was otherwise."""
    scene.fail_first()
    fill(monkeypatch, 2)
    msg = scene.restore()[1]["msg"]
    assert ". loop-auth runs release 1a2b; loop-auth was away for " in msg
    assert ": bringing back what it had before failed, too" in msg and "No space left" in msg
    assert scene.state() == (OLD, "running", "unless-stopped")
    assert scene.leftovers() == []


def test_healing_that_finds_no_room_starts_the_service_and_is_tried_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the files may be in place."""
    scene.server.ends(137)
    leave(scene.engine, scene.old, scene.new)
    with monkeypatch.context() as patch:
        fill(patch)
        msg = scene.heal()[1]["msg"]
    assert msg.endswith("and loop-auth runs release 1a2b: free space on the NAS and run `loopdeploy recover`.")
    assert scene.leftovers() == [] and scene.server.running
    assert scene.heal()[0] == "ok" and known(scene.auth) == OLD


def remove_database(auth: Auth) -> None:
    """Remove it, with what SQLite keeps beside it."""
    auth.writer.close()
    for file in auth.database.parent.glob("oauth.db*"):
        file.unlink()


def remove_keys(auth: Auth) -> None:
    """Remove them, and their directory."""
    shutil.rmtree(auth.keys)


def test_no_database_before_is_none_after_the_way_back(scene: Scene) -> None:
    """It would be of another backup than the keys."""
    remove_database(scene.auth)
    scene.fail_first()
    assert "what it had before was brought back" in scene.restore()[1]["msg"]
    assert not list(scene.auth.database.parent.glob("oauth.db*"))
    assert [file.name for file in scene.auth.keys.iterdir()] == ["k2.pem"]


def test_no_keys_before_are_none_after_the_way_back(scene: Scene) -> None:
    """Their directory stays: loop-api may have it mounted meanwhile."""
    remove_keys(scene.auth)
    scene.fail_first()
    assert "what it had before was brought back" in scene.restore()[1]["msg"]
    assert known(scene.auth) == (["ann", "bob"], [])


def test_nothing_before_cannot_be_brought_back(scene: Scene) -> None:
    """The message says so, and which state the container is in."""
    remove_database(scene.auth)
    remove_keys(scene.auth)
    scene.server.refusal = "wrong version"
    kind, result = scene.restore()
    assert kind == "failed" and ": it had nothing before that could be brought back" in result["msg"]
    assert ". loop-auth is down; loop-auth was away for " in result["msg"]
    assert scene.server.policy == "unless-stopped" and not journal(scene.engine).exists()


@pytest.mark.parametrize("lacking", ["oauth.db", "keys"])
def test_backup_that_lacks_something_leaves_what_is_there(scene: Scene, lacking: str) -> None:
    """Who asks for a backup wants what is in it; a database that it knows nothing of is nobody's to remove."""
    path = scene.auth.backups / scene.old / lacking
    path.unlink() if path.is_file() else shutil.rmtree(path)
    assert scene.restore()[0] == "ok"
    assert known(scene.auth) == ((NEW[0], OLD[1]) if lacking == "oauth.db" else (OLD[0], NEW[1]))
