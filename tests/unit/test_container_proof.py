"""A new image proved beside the one that serves, against a scripted engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.conftest import Outcome
from tests.unit.conftest import Run
from tests.unit.scripted_engine import Container
from tests.unit.scripted_engine import ScriptedEngine


@pytest.fixture
def old(engine: ScriptedEngine) -> Container:
    """Let a container serve."""
    return engine.add("loop-api", run=True, release="old")


def candidate(engine: ScriptedEngine, **script: Any) -> Container:
    """Make the candidate; it has no port, so that both can run."""
    return engine.add("loop-api-candidate", policy="no", port=None, **script)


def prove(run: Run, engine: ScriptedEngine, **more: Any) -> Outcome:
    """Run the module."""
    directory = str(Path(engine.path).parent)
    return run("container_proof", name="loop-api-candidate", state_dir=directory, socket=engine.path, **more)


def test_good_candidate_runs_on_for_a_while_and_goes(run: Run, engine: ScriptedEngine, old: Container) -> None:
    """It proved itself, and nobody needs it any more."""
    candidate(engine)
    begun = engine.clock.now
    assert prove(run, engine, steady=7) == ("ok", {"changed": False})
    assert 7 < engine.clock.now - begun < 8
    assert engine.containers == [old] and old.starts == 1


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ({"refusal": "no such file: /app"}, "no such file: /app"),
        ({"polls": 0}, "it ended with exit code 1"),
        ({"polls": 6}, "it ended with exit code 1"),
        ({"check": 1, "out_of_memory": True, "polls": 9}, "exit code 1, it ran out of memory"),
        ({"check": 126}, "its health check cannot be run (curl: exit code 126)"),
        ({"check": None}, "its health check cannot be run (OCI runtime exec failed"),
        ({"verdict": "unhealthy"}, "its health check fails"),
    ],
)
def test_bad_candidate_fails_early_with_its_last_words(
    run: Run, engine: ScriptedEngine, old: Container, script: dict[str, Any], reason: str
) -> None:
    """What serves was not touched, and the message says so."""
    candidate(engine, log=["a", "", "b"], **script)
    begun = engine.clock.now
    kind, result = prove(run, engine)
    assert kind == "failed" and reason in result["msg"]
    assert "its last log lines: a | b; " in result["msg"]
    assert result["msg"].endswith("; loop-api was not touched: release old runs on, it was away for 0 s")
    assert engine.clock.now - begun < 10
    assert engine.containers == [old] and old.starts == 1


def test_candidate_that_is_never_healthy_fails_after_its_time(run: Run, engine: ScriptedEngine, old: Container) -> None:
    """It may take long to start, but not for ever."""
    candidate(engine, check=1, verdict="starting")
    begun = engine.clock.now
    assert "its health check did not pass within 20 s; " in prove(run, engine, timeout=20)[1]["msg"]
    assert 20 < engine.clock.now - begun < 21


def test_candidate_that_is_started_again_did_not_run_on(run: Run, engine: ScriptedEngine, old: Container) -> None:
    """A crash that the engine hides is a crash."""
    made = candidate(engine)
    engine.clock.after(2, lambda: setattr(made, "starts", 2))
    assert "it ended and was started again" in prove(run, engine, steady=5)[1]["msg"]


def test_proof_gives_up_when_somebody_wants_it_to(
    run: Run, engine: ScriptedEngine, old: Container, tmp_path: Path
) -> None:
    """Whoever interrupted the run need not wait for it."""
    candidate(engine, check=1)
    engine.clock.after(2, (tmp_path / "cancel").touch)
    begun = engine.clock.now
    assert "the run was interrupted" in prove(run, engine)[1]["msg"]
    assert engine.clock.now - begun < 3
    assert engine.containers == [old]


def test_cancellation_of_an_earlier_run_does_not_count(
    run: Run, engine: ScriptedEngine, old: Container, tmp_path: Path
) -> None:
    """A process that was killed may have left its wish behind."""
    (tmp_path / "cancel").touch()
    made = candidate(engine, check=1)
    engine.clock.after(2, lambda: setattr(made, "check", 0))
    assert prove(run, engine)[0] == "ok"


def test_missing_candidate_is_named(run: Run, engine: ScriptedEngine) -> None:
    """Somebody removed it."""
    assert prove(run, engine)[1]["msg"] == "There is no container loop-api-candidate to prove."


def test_check_mode_starts_nothing(run: Run, engine: ScriptedEngine) -> None:
    """It does not even ask."""
    assert prove(run, engine, check_mode=True) == ("ok", {"changed": False})
    assert engine.seen == []
