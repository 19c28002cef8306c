"""The whole verb, with a script in the place of ssh: whose lock it takes, and whose it leaves."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from loopdeploy.errors import LockedError
from loopdeploy.errors import LoopdeployError
from loopdeploy.runner import run_playbook
from loopdeploy.target import Target
from tests.unit.conftest import Load
from tests.unit.test_doctor_playbook import here as here
from tests.unit.test_doctor_playbook import variables


@pytest.fixture
def locked(here: Path, load: Load) -> dict[str, Any]:
    """Let this very process hold the lock; return what the lock says."""
    filters = load("loop_service/filter_plugins/loop_lock.py").FilterModule().filters()
    owner = {**filters["loop_lock_mine"]({"verb": "rebuild"}), "at": "then", "lease": 3600, "until": 10**9}
    (here / "state" / "lock").mkdir(parents=True)
    (here / "state" / "lock" / "owner.json").write_text(json.dumps(owner))
    return owner


def call(verb: str, here: Path, check: bool = False) -> None:
    """Run a verb on this machine."""
    nas = variables(here, ansible_python_interpreter=sys.executable)
    (here / "hosts.yml").write_text(json.dumps({"loop": {"hosts": {"nas": nas}}}))
    run_playbook(verb, Target(inventory=str(here / "hosts.yml"), check=check))


def unlock(here: Path, check: bool = False) -> None:
    """Remove the lock."""
    call("unlock", here, check)


def test_name_with_a_backslash_hides_nobody(here: Path, locked: dict[str, Any]) -> None:
    """Some shells' echo makes of it what is no JSON."""
    (here / "state" / "lock" / "owner.json").write_text(json.dumps({**locked, "user": "AD\\kim"}))
    with pytest.raises(LockedError, match=r"locked by AD\\kim on .*: that run is alive"):
        unlock(here)


@pytest.mark.parametrize("login", ["AD\\kim", "zoë"])
def test_run_gives_its_lock_back_whatever_the_login(here: Path, monkeypatch: pytest.MonkeyPatch, login: str) -> None:
    """Through all that Ansible and two shells make of it; this one fails for want of an engine, with the lock held."""
    monkeypatch.setenv("LOGNAME", login)
    with pytest.raises(LoopdeployError, match="There is no Docker command"):
        call("restart", here)
    runs = [json.loads(line) for line in (here / "state" / "history.jsonl").read_text().splitlines()]
    assert [(line["event"], line["user"]) for line in runs] == [("start", login), ("end", login)]
    assert not (here / "state" / "lock").exists()


@pytest.mark.parametrize("check", [True, False])
def test_lock_of_a_run_that_is_alive_here_is_left(here: Path, locked: dict[str, Any], check: bool) -> None:
    """Exit code 6, and who it is."""
    with pytest.raises(LockedError, match=rf"who runs rebuild since then: that run is alive .* `kill {locked['pid']}`"):
        unlock(here, check)
    assert (here / "state" / "lock" / "owner.json").exists()


def test_lock_of_another_machine_is_removed(
    here: Path, locked: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said whose it was; a second call finds none."""
    (here / "state" / "lock" / "owner.json").write_text(json.dumps({**locked, "host": "desk"}))
    unlock(here)
    unlock(here)
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("removed the lock of ") and " on desk (process " in said[0]
    assert said[1:] == ["the NAS was not locked"]
    assert not (here / "state" / "lock").exists()
