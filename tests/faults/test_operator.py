"""The operator goes away in the middle, at every step and in every way."""

from __future__ import annotations

import signal

import pytest

from tests.faults.conftest import Run
from tests.faults.conftest import cut_the_line
from tests.faults.conftest import is_served
from tests.faults.conftest import left
from tests.faults.conftest import next_run_succeeds
from tests.faults.conftest import nobody_deploys
from tests.lab.conftest import Nas
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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", STEPS)
def test_interrupted(nas: Nas, step: str, number: signal.Signals) -> None:
    """The command itself finishes or undoes what it left, and gives the lock back."""
    auth = nas.life("loop-auth")
    run = Run("rebuild", "--force")
    run.until(step)
    run.kill(number)
    assert run.ends() in (130, 0 if step == "End rebuild" else 130)
    assert nas.life("loop-auth") == auth
    assert left(nas) == []
    assert nas.healthy()
    next_run_succeeds(nas)


@pytest.mark.parametrize("step", STEPS)
def test_killed(nas: Nas, step: str) -> None:
    """The next run takes the lock over, and finishes or undoes what is left."""
    auth = nas.life("loop-auth")
    run = Run("rebuild", "--force")
    run.until(step)
    run.kill(signal.SIGKILL)
    assert run.ends() == -signal.SIGKILL
    nobody_deploys()
    assert is_served(nas)
    next_run_succeeds(nas)
    assert nas.life("loop-auth") == auth


@pytest.mark.parametrize("step", STEPS)
def test_the_line_is_cut(nas: Nas, step: str) -> None:
    """What runs on the NAS finishes by itself; the next run does the rest."""
    auth = nas.life("loop-auth")
    run = Run("rebuild", "--force")
    run.until(step)
    cut_the_line(nas)
    assert run.ends() in (0, 1, 3)
    assert is_served(nas)
    next_run_succeeds(nas)
    assert nas.life("loop-auth") == auth


def test_two_deployers_at_once(nas: Nas) -> None:
    """One wins, the other is told who and what, and touches nothing."""
    run = Run("rebuild", "--force")
    run.until("Make loop-api-candidate")
    second = loopdeploy("restart")
    assert second.returncode == 6, second.stderr
    assert "who runs rebuild since" in second.stderr
    assert run.ends() == 0
    next_run_succeeds(nas)
