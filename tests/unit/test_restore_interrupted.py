"""A restore that is killed at each of its steps, and what heals it."""

from __future__ import annotations

import itertools
import json
import math
import os
from pathlib import Path

import pytest

from tests.unit.conftest import ROLES
from tests.unit.conftest import Outcome
from tests.unit.conftest import Run
from tests.unit.killer import Killer
from tests.unit.scripted_engine import Container
from tests.unit.scripted_engine import ScriptedEngine
from tests.unit.test_api_keys import play
from tests.unit.test_auth_backup import Auth
from tests.unit.test_auth_backup import auth as auth
from tests.unit.test_auth_backup import module
from tests.unit.test_auth_backup import restore
from tests.unit.test_auth_backup import server as server

OLD, NEW = (["ann"], ["k1.pem"]), (["ann", "bob"], ["k2.pem"])


@pytest.fixture
def kill(monkeypatch: pytest.MonkeyPatch) -> Killer:
    """Kill in front of every file that comes or goes, too."""
    return Killer(monkeypatch, (os, "rename"), (os, "unlink"))


def heal(run: Run, auth: Auth, engine: ScriptedEngine, check_mode: bool = False) -> Outcome:
    """Do what every verb does that finds the journal."""
    wanted = {"container": "loop-auth", "state_dir": str(Path(engine.path).parent), "socket": engine.path}
    return module(run, auth, check_mode, state="healed", **wanted)


def journal(engine: ScriptedEngine) -> Path:
    """Return the file that outlives the process."""
    return Path(engine.path).with_name("restore-loop-auth.json")


def known(auth: Auth) -> tuple[list[str], list[str]]:
    """Return which users and keys there are."""
    return auth.users(), sorted(file.name for file in auth.keys.glob("*.pem"))


@pytest.fixture
def backups(run: Run, auth: Auth, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Make one with the old user and key, and one with the new ones; each later one is of another second."""
    seconds = itertools.count()
    monkeypatch.setattr(engine.clock, "strftime", lambda *_: f"20261122T{next(seconds):06}Z", raising=False)
    old = module(run, auth)[1]["backup"]
    auth.sign_up("bob")
    (auth.keys / "k1.pem").rename(auth.keys / "k2.pem")
    return old, module(run, auth)[1]["backup"]


@pytest.mark.parametrize("works", [True, False], ids=["works", "does-not-work"])
@pytest.mark.parametrize("later", [math.inf, 2, 7], ids=["", "killed-again", "killed-again-later"])
def test_database_and_keys_are_of_one_backup_wherever_it_is_killed(
    run: Run,
    auth: Auth,
    engine: ScriptedEngine,
    server: Container,
    kill: Killer,
    backups: tuple[str, str],
    works: bool,
    later: float,
) -> None:
    """Of the wanted one, or where that does not work, of what was before; and the service runs as it did."""
    old, new = backups

    def judge() -> None:
        server.refusal = "" if works or (auth.keys / "k2.pem").exists() else "wrong version"

    for steps in itertools.count():
        assert restore(run, auth, engine, new, keep=1000)[0] == "ok" and known(auth) == NEW
        engine.hook = judge
        killed = kill(steps, lambda: restore(run, auth, engine, old, keep=1000))
        begun = journal(engine).exists()
        if killed:
            kill(later, lambda: heal(run, auth, engine))
        kind, result = heal(run, auth, engine)
        engine.hook = lambda: setattr(server, "refusal", "")
        assert kind == "ok" or "what it had before was brought back, and it runs again." in result["msg"], result
        assert known(auth) in ([OLD, NEW] if works else [NEW])
        assert not begun or (server.status, server.policy) == ("running", "unless-stopped")
        assert not journal(engine).exists()
        if not killed:
            break
    assert known(auth) == (OLD if works else NEW) and steps > 15


def test_check_mode_tells_of_an_interrupted_restore(run: Run, auth: Auth, engine: ScriptedEngine) -> None:
    """It touches nothing."""
    assert heal(run, auth, engine, check_mode=True) == ("ok", {"changed": False, "healed": []})
    journal(engine).write_text('{"new": "x"}')
    assert heal(run, auth, engine, check_mode=True) == ("ok", {"changed": True, "healed": []})
    assert journal(engine).exists() and engine.seen == []


def test_nothing_is_healed_where_nothing_was_interrupted(run: Run, auth: Auth, engine: ScriptedEngine) -> None:
    """The engine is not even asked."""
    assert heal(run, auth, engine) == ("ok", {"changed": False, "healed": []})
    assert engine.seen == []


def test_what_was_healed_is_told(run: Run, auth: Auth, engine: ScriptedEngine, backups: tuple[str, str]) -> None:
    """Also when somebody removed the container meanwhile: the next one must find the files of one backup."""
    old, new = backups
    entry = {"new": old, "before": new, "policy": {"Name": "no"}}
    journal(engine).write_text(json.dumps(entry))
    assert heal(run, auth, engine)[1]["healed"] == [
        f"finished the interrupted restore of loop-auth from the backup {old}"
    ]
    assert known(auth) == OLD and not journal(engine).exists()


def test_what_the_service_wrote_since_its_files_were_in_place_is_kept(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backups: tuple[str, str]
) -> None:
    """The NAS may have started it long before the next verb comes."""
    old, new = backups
    journal(engine).write_text(json.dumps({"new": old, "before": new, "policy": {"Name": "no"}, "put": True}))
    assert heal(run, auth, engine)[0] == "ok"
    assert (known(auth), server.policy) == (NEW, "no")


def test_backup_that_is_gone_holds_nobody_up(run: Run, auth: Auth, engine: ScriptedEngine) -> None:
    """It is told once."""
    journal(engine).write_text('{"new": "x"}')
    assert "its backup x is gone: bring another one back with `loopdeploy restore" in heal(run, auth, engine)[1]["msg"]
    assert heal(run, auth, engine)[0] == "ok"


@pytest.mark.parametrize(
    ("line", "left"),
    [
        ("/loop-api sha256:1a x running healthy", False),
        ("/loop-api-previous sha256:1a x exited", False),
        ("/loop-api-next sha256:1a x created", True),
        ("/state/swap-loop-api.json", True),
        ("/state/restore-loop-auth.json", True),
        ("locked {}", True),
    ],
)
def test_what_an_interrupted_run_left_is_seen(tmp_path: Path, line: str, left: bool) -> None:
    """A verb heals it before it does anything else."""
    (tmp_path / "roles" / "loop_service" / "tasks").mkdir(parents=True)
    check = {"ansible.builtin.assert": {"that": f"__loop_service_left is {str(left).lower()}"}}
    (tmp_path / "roles" / "loop_service" / "tasks" / "left.yml").write_text(json.dumps([check]))
    for part in ("vars", "filter_plugins"):
        (tmp_path / "roles" / "loop_service" / part).symlink_to(ROLES / "loop_service" / part)
    take = {"import_role": {"name": "loop_service", "tasks_from": "left"}}
    result = play(tmp_path, take, __loop_service_began={"stdout": line, "stdout_lines": [line]})
    assert result.returncode == 0, result.stdout
