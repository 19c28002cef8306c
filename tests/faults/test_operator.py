"""The operator goes away in the middle, at every step and in every way."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.faults.conftest import SWAPPED
from tests.faults.conftest import UNNOTICED
from tests.faults.conftest import Client
from tests.faults.conftest import Run
from tests.faults.conftest import append
from tests.faults.conftest import cut_the_line
from tests.faults.conftest import is_of_one_release
from tests.faults.conftest import is_served
from tests.faults.conftest import left
from tests.faults.conftest import next_run_succeeds
from tests.faults.conftest import nobody_deploys
from tests.faults.conftest import paused_deployers
from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import Nas
from tests.lab.conftest import deploy
from tests.lab.conftest import loopdeploy

STEPS = [
    "Read what runs",
    "Build loop-api",
    "Begin rebuild",
    "Check that the NAS is ready for loop-api",
    "Read who is signed in",
    "Name the image after its release",
    "Make loop-api-candidate",
    "Prove 2",
    "Make loop-api-next",
    "Swap in release",
    "Remove releases that nobody needs",
    "Read who is signed in now",
    "End rebuild",
]


SWAP = STEPS.index("Swap in release")


@contextmanager
def in_use(nas: Nas) -> Iterator[dict[str, Any]]:
    """Give loop-api as it is, and require that its users noticed nothing, or one replacement, and loop-auth's none."""
    (auth, api), before = nas.lives(), nas.inspect("loop-api")
    with Client() as client:
        yield before
    assert nas.life("loop-auth") == auth
    assert client.answers > 20
    assert client.longest < (UNNOTICED if nas.life("loop-api") == api else SWAPPED)


def came_to(nas: Nas, before: dict[str, Any], step: str) -> None:
    """Require the same loop-api, not even restarted, up to the swap; another one behind it; one of both in it."""
    life, number = nas.life("loop-api"), STEPS.index(step)
    if number < SWAP:
        assert life == (before["Id"], before["State"]["StartedAt"], before["RestartCount"])
    elif number > SWAP:
        assert life[0] != before["Id"]
    is_of_one_release(nas, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", STEPS)
def test_interrupted(nas: Nas, step: str, number: signal.Signals) -> None:
    """The command itself finishes or undoes what it left, and gives the lock back."""
    with in_use(nas) as before:
        run = Run("rebuild", "--force")
        run.until(step)
        run.kill(number)
        assert run.ends() in (130, 0 if step == "End rebuild" else 130)
        came_to(nas, before, step)
        assert left(nas) == []
        assert nas.healthy()
        next_run_succeeds(nas)
        came_to(nas, before, step)


@pytest.mark.parametrize("step", STEPS)
def test_killed(nas: Nas, step: str) -> None:
    """The next run takes the lock over, and finishes or undoes what is left."""
    with in_use(nas) as before:
        run = Run("rebuild", "--force")
        run.until(step)
        run.kill(signal.SIGKILL)
        assert run.ends() == -signal.SIGKILL
        nobody_deploys()
        assert is_served(nas)
        next_run_succeeds(nas)
        came_to(nas, before, step)


@pytest.mark.parametrize("step", STEPS)
def test_the_line_is_cut(nas: Nas, step: str) -> None:
    """What runs on the NAS finishes by itself; the next run does the rest."""
    with in_use(nas) as before:
        run = Run("rebuild", "--force")
        run.until(step)
        cut_the_line(nas)
        code = run.ends()
        assert code in (0, 1, 3)
        assert is_served(nas)
        next_run_succeeds(nas)
        # Ansible may have logged in anew, and gone on.
        came_to(nas, before, "End rebuild" if code == 0 else step)


@pytest.mark.fast
def test_two_deployers_at_once(nas: Nas) -> None:
    """One wins, the other is told who and what, and touches nothing."""
    auth, before = nas.life("loop-auth"), nas.inspect("loop-api")
    began, runs = nas.run("date", "+%s.%N").strip(), json.loads(deploy("history", "--json").stdout)
    run = Run("rebuild", "--force")
    run.until("Make loop-api-candidate")
    second = loopdeploy("restart", "--all")
    assert second.returncode == 6, second.stderr
    assert "who runs rebuild since" in second.stderr
    assert run.ends() == 0
    assert nas.life("loop-auth") == auth
    came_to(nas, before, "End rebuild")
    ended = nas.run("date", "+%s.%N").strip()
    events = nas.docker(
        "events", "--since", began, "--until", ended, "--format", "{{.Action}} {{.Actor.Attributes.name}}"
    )
    # A replacement restarts none; the engine tells of what was seen, so its silence counts.
    assert "start loop-api" in events
    assert "restart " not in events
    new = [run for run in json.loads(deploy("history", "--json").stdout) if run not in runs]
    assert [(run["verb"], run["outcome"]) for run in new] == [("rebuild", "done"), ("restart", "failed")]
    next_run_succeeds(nas)


@pytest.mark.fast
def test_a_deployer_who_comes_behind_a_faster_one_restarts_nothing(checkout: Nas) -> None:
    """Its look at what runs is older than the other one's replacement; behind the lock it looks again."""
    append(checkout, "# another release")
    # Built before, so that both deployers get the same image.
    checkout.docker("build", "--quiet", "--tag", "loop-api:next", CHECKOUT)
    before = checkout.inspect("loop-api")
    slow = Run("rebuild")
    slow.until("Build loop-api")
    with paused_deployers():
        deploy("rebuild")
        put = checkout.lives()
        assert checkout.inspect("loop-api")["Id"] != before["Id"]
    assert slow.ends() == 0
    assert checkout.lives() == put
    assert checkout.inspect("loop-api-previous")["Id"] == before["Id"]
    next_run_succeeds(checkout)
