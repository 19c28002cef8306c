"""What counts as a backup, and in which order: whatever else is in their directory, and whatever the clock says."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.unit.conftest import Run
from tests.unit.killer import Killed
from tests.unit.killer import Killer
from tests.unit.scripted_engine import Clock
from tests.unit.scripted_engine import Container
from tests.unit.scripted_engine import ScriptedEngine
from tests.unit.test_auth_backup import Auth
from tests.unit.test_auth_backup import auth as auth
from tests.unit.test_auth_backup import module
from tests.unit.test_auth_backup import restore
from tests.unit.test_auth_backup import server as server

FUTURE, PRESENT = "20261123T080000Z", "20261122T080000Z"


@pytest.fixture(autouse=True)
def stamp(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock of the NAS stand still."""
    set_clock(clock, monkeypatch, PRESENT)


def set_clock(clock: Clock, monkeypatch: pytest.MonkeyPatch, stamp: str) -> None:
    """Set the clock of the NAS."""
    monkeypatch.setattr(clock, "strftime", lambda *_: stamp, raising=False)


def make(run: Run, auth: Auth) -> str:
    """Make a backup and return its name."""
    kind, result = module(run, auth)
    assert kind == "ok", result
    name: str = result["backup"]
    return name


@pytest.fixture
def strange(auth: Auth) -> set[str]:
    """Put beside the backups what sorts in front of them and behind them, and return the names."""
    auth.backups.mkdir()
    directories = ["2025-before-migration", "20201122T080000Z.old", "@eaDir", "planted.partial"]
    for name in directories:
        (auth.backups / name / "keys").mkdir(parents=True)
    (auth.backups / "20201122T080000Z").write_text("a file")
    (auth.backups / "20201122T080000Z-again").symlink_to(auth.backups / "@eaDir")
    return {*directories, "20201122T080000Z", "20201122T080000Z-again"}


def test_what_dsm_and_operators_put_there_is_never_the_latest(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, strange: set[str]
) -> None:
    """DSM's @eaDir sorts behind every digit."""
    made = make(run, auth)
    auth.sign_up("bob")
    kind, result = restore(run, auth, engine)
    assert (kind, result.get("restored"), auth.users()) == ("ok", made, ["ann"])
    assert restore(run, auth, engine, "@eaDir")[1]["msg"].endswith(f"there are: {result['backup']}, {made}.")


def test_what_dsm_and_operators_put_there_is_neither_removed_nor_counted(
    run: Run, auth: Auth, strange: set[str]
) -> None:
    """It takes none of the five places."""
    made = [make(run, auth) for _ in range(7)]
    assert {path.name for path in auth.backups.iterdir()} == strange | set(made[-5:])


def test_file_in_the_place_of_the_next_backup_is_no_obstacle(run: Run, auth: Auth) -> None:
    """It could not be replaced by a directory."""
    auth.backups.mkdir()
    (auth.backups / PRESENT).write_text("a file")
    assert make(run, auth) == f"{PRESENT}-again"


def test_latest_is_the_one_made_last_whatever_the_clock_says(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One made while the clock was ahead would stay the latest for a day."""
    set_clock(clock, monkeypatch, FUTURE)
    make(run, auth)
    set_clock(clock, monkeypatch, PRESENT)
    auth.sign_up("bob")
    made = make(run, auth)
    auth.sign_up("carl")
    assert restore(run, auth, engine)[1]["restored"] == made
    assert auth.users() == ["ann", "bob"]


def test_oldest_ones_go_whatever_the_clock_says(
    run: Run, auth: Auth, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each new one would be the next one's victim; and once the clock has caught up, its names are plain again."""
    set_clock(clock, monkeypatch, FUTURE)
    made = [make(run, auth) for _ in range(2)]
    set_clock(clock, monkeypatch, PRESENT)
    made += [make(run, auth) for _ in range(5)]
    assert auth.names() == made[-5:] == sorted(made)[-5:]
    set_clock(clock, monkeypatch, "20261124T080000Z")
    assert make(run, auth) == "20261124T080000Z"
    assert auth.names() == [*made[-4:], "20261124T080000Z"]


def test_names_do_not_outgrow_the_file_system(
    run: Run, auth: Auth, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock was ten years ahead, once: an encrypted shared folder of DSM takes 143 characters."""
    set_clock(clock, monkeypatch, "20361122T235959Z")
    made = [make(run, auth)]
    set_clock(clock, monkeypatch, PRESENT)
    made += [make(run, auth) for _ in range(50)]
    assert made == sorted(made) and len(set(made)) == 51
    assert max(map(len, made)) + len(".partial") <= 143
    assert auth.names() == made[-5:]


def kill_copy(monkeypatch: pytest.MonkeyPatch, run: Run, auth: Auth) -> None:
    """Kill the process that makes a backup behind its database, when nothing can be cleaned up any more."""

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copy2", killed)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            module(run, auth)


def test_half_a_backup_that_a_kill_left_is_removed_by_the_next_one(
    run: Run, auth: Auth, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has private keys, and would stay for ever."""
    kill_copy(monkeypatch, run, auth)
    assert auth.names() == [f"{PRESENT}.partial"]
    set_clock(clock, monkeypatch, FUTURE)
    assert make(run, auth) == FUTURE and auth.names() == [FUTURE]


def test_backup_that_is_half_removed_is_none(run: Run, auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed while it removes the oldest one leaves no half of it to be brought back."""
    made = [make(run, auth) for _ in range(5)]
    kill = Killer(monkeypatch, (os, "unlink"))
    assert kill(1, lambda: module(run, auth))
    assert f"{made[0]}.partial" in auth.names() and made[0] not in auth.names()
    last = make(run, auth)
    assert len(auth.names()) == 5 and last == auth.names()[-1]


def test_backup_that_cannot_be_removed_is_no_failure(run: Run, auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new one is there, and that is what matters."""
    made, rename = [make(run, auth) for _ in range(5)], os.rename

    def immutable(source: str, target: str) -> None:
        if Path(source).name == made[0]:
            raise PermissionError(1, "Operation not permitted")
        rename(source, target)

    monkeypatch.setattr(os, "rename", immutable)
    assert [*made, make(run, auth)] == auth.names()
