"""A restore that is killed at each of its steps, and what heals it."""

from __future__ import annotations

import itertools
import json
import math
import os
from pathlib import Path
from typing import Any

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
    """Of the wanted one, or where that does not work, of what was before; and the service runs as it did.

    Killed behind its files, a restore cannot know whether the service wrote since, so they stay, also when it does not
    work with them; the message says so.
    """
    old, new = backups
    ends: list[Outcome] = []

    def judge() -> None:
        server.refusal = "" if works or (auth.keys / "k2.pem").exists() else "wrong version"

    for steps in itertools.count():
        assert restore(run, auth, engine, new, keep=1000)[0] == "ok" and known(auth) == NEW
        engine.hook = judge
        killed = kill(steps, lambda: restore(run, auth, engine, old, keep=1000))
        begun = journal(engine).exists()
        ends.clear()
        if killed:
            kill(later, lambda: ends.append(heal(run, auth, engine)))
        kind, result = [*ends, heal(run, auth, engine)][0]
        engine.hook = lambda: setattr(server, "refusal", "")
        told = result.get("msg", "")
        stays = not works and f"has the files of the backup {old}, but is not healthy (wrong version)" in told
        assert (
            kind == "ok" or stays or told.endswith("what it had before was brought back, and release 1a2b runs again")
        ), result
        assert known(auth) in ([OLD, NEW] if works else [OLD] if stays else [NEW])
        assert not begun or (server.running, server.policy) == (not stays, "unless-stopped")
        assert not journal(engine).exists()
        if not killed:
            break
    assert known(auth) == (OLD if works else NEW) and steps > 15


def test_restore_is_left_for_the_history(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backups: tuple[str, str]
) -> None:
    """Which backup was asked for, and what came of it; of an interrupted one without the time, which nobody knows."""
    lock, line = journal(engine).with_name("lock"), {"service": "loop-auth", "backup": backups[0]}
    lock.mkdir()
    restored = restore(run, auth, engine, backups[0])[1]
    engine.hook = lambda: setattr(server, "refusal", "no" if (auth.keys / "k1.pem").exists() else "")
    (auth.keys / "k1.pem").rename(auth.keys / "k2.pem")
    failed = restore(run, auth, engine, backups[0])[1]
    leave(engine, *backups)
    heal(run, auth, engine)
    engine.hook = lambda: setattr(server, "refusal", "")
    leave(engine, *backups)
    heal(run, auth, engine)
    leave(engine, "gone", backups[1])
    heal(run, auth, engine)
    assert [json.loads(text) for text in (lock / "swaps.jsonl").read_text().splitlines()] == [
        {**line, "outcome": "done", "gap": restored["gap"]},
        {**line, "outcome": "rolled back", "gap": failed["gap"]},
        {**line, "outcome": "rolled back"},
        {**line, "outcome": "finished"},
        {**line, "backup": "gone", "outcome": "undone"},
    ]


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


def leave(engine: ScriptedEngine, new: str, before: str, **more: object) -> None:
    """Leave the journal that a killed restore leaves, and the policy that it gave."""
    for container in engine.containers:
        container.policy = "always"
    entry = {"new": new, "before": before, "policy": {"Name": "unless-stopped"}, **more}
    journal(engine).write_text(json.dumps(entry))


@pytest.mark.parametrize(
    ("fault", "why"),
    [({"check": 1}, "its health check did not pass within 60 s"), ({"refusal": "no such file"}, "no such file")],
)
def test_backup_that_is_in_place_never_gives_way_to_an_older_one(
    run: Run,
    auth: Auth,
    engine: ScriptedEngine,
    server: Container,
    backups: tuple[str, str],
    fault: dict[str, Any],
    why: str,
) -> None:
    """The service may have run for days on it: that it is ill today is told once, and costs nobody a user."""
    old, new = backups
    leave(engine, new, old, put=True)
    if "refusal" in fault:
        server.ends(137)
    for name, value in fault.items():
        setattr(server, name, value)
    kind, result = heal(run, auth, engine)
    assert kind == "failed" and f"has the files of the backup {new}, but is not healthy ({why})" in result["msg"]
    assert result["msg"].endswith(f"bring another backup back with `loopdeploy restore --auth {old}`.")
    assert known(auth) == NEW and server.policy == "unless-stopped"
    assert not any("/stop" in request for request in engine.seen)
    assert heal(run, auth, engine) == ("ok", {"changed": False, "healed": []})


@pytest.mark.parametrize("status", ["running", "exited"])
def test_backup_that_is_in_place_is_not_needed_any_more(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backups: tuple[str, str], status: str
) -> None:
    """It may have been removed since."""
    server.status = status
    leave(engine, "gone", backups[0], put=True)
    assert heal(run, auth, engine)[0] == "ok"
    assert (server.status, server.policy, known(auth)) == ("running", "unless-stopped", NEW)
    assert not journal(engine).exists() and not any("/stop" in request for request in engine.seen)


def test_engine_that_does_not_answer_is_no_end_of_a_restore(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backups: tuple[str, str]
) -> None:
    """The next run gives the container its policy back."""
    leave(engine, backups[1], backups[0], put=True)
    engine.fault("POST .*/update", times=1000)
    assert "The Docker engine does not answer" in heal(run, auth, engine)[1]["msg"]
    assert (journal(engine).exists(), server.policy) == (True, "always")


def test_backup_that_is_gone_gives_way_to_what_was_before(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backups: tuple[str, str]
) -> None:
    """Half of the files may be in place, and those of before are there."""
    server.ends(137)
    leave(engine, "gone", backups[0])
    told = f"undid the interrupted restore of loop-auth: it has what it had before, the backup {backups[0]}"
    assert heal(run, auth, engine)[1]["healed"] == [told]
    assert (known(auth), server.status, server.policy) == (OLD, "running", "unless-stopped")


@pytest.mark.parametrize(
    ("before", "refusal", "state"), [("", "", "runs release 1a2b"), ("x", "no such file", "is down")]
)
def test_backups_that_are_gone_hold_nobody_up(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, before: str, refusal: str, state: str
) -> None:
    """It is told once, with what became of the container."""
    server.ends(137)
    server.refusal = refusal
    leave(engine, "x", before)
    advice = f"loop-auth {state}, and its backup x is gone: bring another one back with `loopdeploy restore --auth`."
    assert heal(run, auth, engine)[1]["msg"].endswith(advice)
    assert server.policy == "unless-stopped"
    assert heal(run, auth, engine)[0] == "ok"


def test_backup_and_container_that_are_gone_hold_nobody_up(run: Run, auth: Auth, engine: ScriptedEngine) -> None:
    """Somebody cleaned up by hand."""
    leave(engine, "x", "")
    assert "there is no container loop-auth, and its backup x is gone" in heal(run, auth, engine)[1]["msg"]
    assert heal(run, auth, engine)[0] == "ok"


def heal_all(tmp_path: Path, swap: str, files: str, sessions: str = "module.exit_json(sessions={})") -> str:
    """Return what heal.yml says with modules that end so."""
    library = tmp_path / "roles" / "loop_service" / "library"
    library.mkdir(parents=True)
    answer = "#!/usr/bin/python\nfrom ansible.module_utils.basic import AnsibleModule\n"
    answer += "options = {name: {} for name in %s}\nmodule = AnsibleModule(argument_spec=options)\n%s\n"
    ends = {
        "container_swap": (["name", "state", "state_dir", "timeout", "down"], swap),
        "auth_backup": (["state", "container", "database", "keys", "directory", "state_dir", "timeout"], files),
        "session_state": (["container", "url", "keys", "before", "touched", "meant", "patient"], sessions),
    }
    for name, options_and_end in ends.items():
        (library / f"{name}.py").write_text(answer % options_and_end)
    for part in ("tasks", "vars", "defaults", "filter_plugins"):
        (library.parent / part).symlink_to(ROLES / "loop_service" / part)
    paths = {"database": "/db", "keys_dir": "/keys"}
    auth = {"loop_auth_rollout": {"backup": paths}, "loop_auth_jwks_url": "http://x"}
    verb = {"loop_service_verb": "recover", "loop_service_steps": [["loop-api", "noted"]]}
    take = {"import_role": {"name": "loop_service", "tasks_from": "heal", "rolespec_validate": False}}
    began = {"stdout": "/loop-api-next x", "stdout_lines": ["/loop-api-next x"]}
    return play(tmp_path, take, loop_state_dir="/state", __loop_service_began=began, **auth, **verb).stdout


def test_what_an_interrupted_run_left_is_told_before_a_restore_is_finished(tmp_path: Path) -> None:
    """When that fails, the other is not lost."""
    undone = "module.exit_json(healed=['undid ' + module.params['name']])"
    said = heal_all(tmp_path, undone, "module.fail_json(msg='its backup is gone')")
    told = said.partition("Tell what was healed")[2].partition("TASK")[0]
    assert "undid loop-api" in told and "undid loop-auth" in told, said
    assert "its backup is gone" in said


@pytest.mark.parametrize("changed", [True, False])
def test_healed_replacement_must_keep_the_keys(tmp_path: Path, changed: bool) -> None:
    """As any other one must, and loop-auth may be what was replaced."""
    judge = "if module.params['before']: module.fail_json(msg='compared, touched: ' + module.params['touched'])\n"
    swap = f"module.exit_json(changed={changed}, healed={['undid it'] if changed else []})"
    said = heal_all(
        tmp_path, swap, "module.fail_json(msg='at the files')", judge + "module.exit_json(sessions={'id': 1})"
    )
    assert ("compared, touched: True" in said, "at the files" in said) == (changed, not changed), said


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
