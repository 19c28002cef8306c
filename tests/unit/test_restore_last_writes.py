"""What loop-auth writes between the backup of what it had before a restore, and its stop."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import loop_backup
from ansible.module_utils.loop_problem import Problem

from tests.unit.conftest import Run
from tests.unit.killer import Killer
from tests.unit.scripted_engine import ScriptedEngine
from tests.unit.test_auth_backup import Auth
from tests.unit.test_auth_backup import auth as auth
from tests.unit.test_auth_backup import module
from tests.unit.test_auth_backup import restore
from tests.unit.test_auth_backup import server as server
from tests.unit.test_restore_failing import Scene
from tests.unit.test_restore_failing import remove_database
from tests.unit.test_restore_failing import scene as scene
from tests.unit.test_restore_interrupted import NEW
from tests.unit.test_restore_interrupted import OLD
from tests.unit.test_restore_interrupted import backups as backups
from tests.unit.test_restore_interrupted import heal
from tests.unit.test_restore_interrupted import kill as kill
from tests.unit.test_restore_interrupted import known
from tests.unit.test_restore_interrupted import leave

LAST = ([*NEW[0], "carl"], NEW[1])


def sign_up(auth: Auth) -> None:
    """Add a user, as loop-auth does."""
    with closing(sqlite3.connect(auth.database)) as database:
        database.execute("CREATE TABLE IF NOT EXISTS users (name)")
        database.execute("INSERT INTO users VALUES ('carl')")
        database.commit()


def script(scene: Scene, write: Callable[[Auth], None] = sign_up, works: bool = False) -> list[Any]:
    """Let loop-auth write when it is stopped for the first time, and not start with the keys of the old backup.

    The list that is returned has then what it wrote with.
    """
    writes, written, begun = [write], [], len(scene.engine.seen)

    def hook() -> None:
        # The policy is the last word before the stop.
        if writes and any(request.endswith("/update") for request in scene.engine.seen[begun:]):
            write(scene.auth)
            written.append(writes.pop())
        old = (scene.auth.keys / "k1.pem").exists()
        scene.server.refusal = "wrong version" if old and not works else ""

    scene.engine.hook = hook
    return written


def made(scene: Scene) -> Path:
    """Return the backup that the restore made of what was before."""
    return max(scene.auth.backups.iterdir())


def test_it_is_there_again_when_the_backup_does_not_work(scene: Scene) -> None:
    """A refresh token that was exchanged meanwhile would be refused, and its client would have to sign in again."""
    script(scene)
    kind, result = scene.restore()
    assert kind == "failed" and "what it had before was brought back" in result["msg"]
    assert scene.state() == (LAST, "running", "unless-stopped")
    assert scene.leftovers() == []


def test_it_is_in_the_backup_of_before(scene: Scene) -> None:
    """Whoever goes back by hand has it, too."""
    script(scene, works=True)
    kind, result = scene.restore()
    assert (kind, known(scene.auth)) == ("ok", OLD)
    backup = scene.auth.backups / result["backup"]
    assert scene.auth.users(backup / "oauth.db") == LAST[0]
    assert sorted(file.name for file in backup.iterdir()) == ["keys", "oauth.db"]
    assert (backup / "oauth.db").stat().st_mode & 0o077 == 0


def test_first_database_is_there_again(scene: Scene) -> None:
    """There was none when what was before was backed up."""
    remove_database(scene.auth)
    script(scene)
    assert "what it had before was brought back" in scene.restore()[1]["msg"]
    assert known(scene.auth) == (["carl"], NEW[1])


def test_full_disk_leaves_the_backup_of_before_as_it_is(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first database is better than none, and the restore goes on."""
    copy = loop_backup.copy_database

    def copied(source: str, target: str) -> None:
        if not scene.server.running:
            Path(target).write_text("half")
            raise Problem("database or disk is full")
        copy(source, target)

    monkeypatch.setattr(loop_backup, "copy_database", copied)
    written = script(scene)
    assert scene.restore()[1]["rolled_back"] is True
    assert written and scene.state() == (NEW, "running", "unless-stopped")
    assert scene.leftovers() == []


def test_database_that_is_damaged_since_leaves_the_backup_of_before_as_it_is(scene: Scene) -> None:
    """The one that could be read a moment ago is brought back."""
    scene.auth.writer.close()

    def damage(auth: Auth) -> None:
        auth.database.write_bytes(b"no database at all" * 1000)

    written = script(scene, damage)
    assert scene.restore()[1]["rolled_back"] is True
    assert written and known(scene.auth) == NEW and scene.leftovers() == []


def test_database_that_was_damaged_before_stays_as_it_was(scene: Scene) -> None:
    """It was copied with what is beside it, which would be mixed with another one."""
    backup = scene.auth.backups / scene.new
    (backup / "oauth.db").write_text("damaged")
    (backup / "oauth.db-wal").write_text("its log")
    loop_backup.refresh(str(backup), str(scene.auth.database))
    assert [(backup / name).read_text() for name in ("oauth.db", "oauth.db-wal")] == ["damaged", "its log"]


def lock(auth: Auth) -> sqlite3.Connection:
    """Let somebody else have the database for himself."""
    holder = sqlite3.connect(auth.database, check_same_thread=False)
    for statement in ("PRAGMA journal_mode=DELETE", "BEGIN EXCLUSIVE"):
        holder.execute(statement)
    return holder


@pytest.fixture
def hurry(auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for no lock of a database; nobody has one yet."""
    auth.writer.close()
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path, **more: connect(path, **{**more, "timeout": 0}))


def test_database_that_somebody_has_locked_keeps_nobody_down(scene: Scene, hurry: None) -> None:
    """Python's own backup would wait for ever, and the process is deaf to signals."""
    holders: list[sqlite3.Connection] = []
    written = script(scene, lambda auth: holders.append(lock(auth)), works=True)
    assert scene.restore()[0] == "ok" and written
    holders[0].close()
    assert scene.auth.users(made(scene) / "oauth.db") == NEW[0] and known(scene.auth) == OLD


def test_database_that_somebody_has_locked_is_named(run: Run, auth: Auth, hurry: None) -> None:
    """A deployment would wait for ever."""
    with closing(lock(auth)):
        kind, result = module(run, auth)
    assert kind == "failed" and result["msg"].endswith(" is locked by another process: end that one, then try again.")


def test_stop_that_is_refused_costs_nothing_either(scene: Scene) -> None:
    """No file was put in place, so none is put back: it would be an older one."""
    script(scene, works=True)
    scene.engine.fault("POST .*/stop", status=500, message="no such process")
    assert scene.restore()[1]["rolled_back"] is True
    assert scene.state() == (LAST, "running", "unless-stopped")
    assert scene.leftovers() == []


def test_interrupted_restore_leaves_the_backup_of_before_as_it_is(scene: Scene) -> None:
    """Some of the files in use may be of the other backup already."""
    leave(scene.engine, scene.old, scene.new)
    script(scene, works=True)
    assert scene.heal()[0] == "ok"
    assert scene.auth.users(scene.auth.backups / scene.new / "oauth.db") == NEW[0]


def test_kill_leaves_the_backup_of_before_whole(scene: Scene, kill: Killer) -> None:
    """Wherever it comes: with what was written last, or without it; and what it left beside it goes."""
    auth, seen = scene.auth, set()
    for steps in itertools.count():
        script(scene, lambda _: None, works=True)
        assert restore(scene.run, auth, scene.engine, scene.new, keep=1000)[0] == "ok"
        script(scene)
        killed = kill(steps, lambda: restore(scene.run, auth, scene.engine, scene.old, keep=1000))
        before = [*auth.backups.glob("*Z")]
        assert all(auth.users(backup / "oauth.db") for backup in before)
        kind, result = heal(scene.run, auth, scene.engine)
        stays = "has the files of the backup" in result.get("msg", "")
        assert known(auth) in ([OLD] if stays else [NEW, LAST]), (steps, result)
        seen.add("stays" if stays else len(known(auth)[0]))
        if not killed:
            break
    assert known(auth) == LAST and seen == {"stays", 2, 3}
    scene.engine.hook = lambda: None
    assert module(scene.run, auth, keep=1000)[0] == "ok" and scene.leftovers() == []


def test_it_is_on_the_disk_before_a_file_is_put_in_place(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut must not leave both without it."""
    done: list[str] = []
    rename, sync = os.rename, os.fsync

    def renamed(source: str, target: str) -> None:
        done.append(f"put {target}")
        rename(source, target)

    def synced(handle: int) -> None:
        done.append(f"sync {os.readlink(f'/proc/self/fd/{handle}')}")
        sync(handle)

    monkeypatch.setattr(os, "rename", renamed)
    monkeypatch.setattr(os, "fsync", synced)
    script(scene, works=True)
    assert scene.restore()[0] == "ok"
    backup = made(scene)
    steps = [
        f"sync {backup}.partial/oauth.db",
        f"put {backup}/oauth.db",
        f"sync {backup}",
        f"put {scene.auth.database}",
    ]
    assert [step for step in done if step in steps] == steps


def test_database_that_somebody_has_locked_is_not_taken_for_a_damaged_one(
    run: Run, auth: Auth, engine: ScriptedEngine, hurry: None
) -> None:
    """A copy of the file as it is could be torn; so nothing is brought back before the lock is gone."""
    server = engine.add("loop-auth", run=True, port=None)
    made = module(run, auth)[1]["backup"]
    with closing(lock(auth)):
        kind, result = restore(run, auth, engine, backup=made)
    assert kind == "failed" and result["msg"].endswith(" is locked by another process: end that one, then try again.")
    assert (server.running, server.starts, auth.names()) == (True, 1, [made])
