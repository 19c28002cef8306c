"""One container put in another one's place, or everything back, against a scripted engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.conftest import Run
from tests.unit.scripted_engine import Clock
from tests.unit.scripted_engine import Container
from tests.unit.scripted_engine import ScriptedEngine

OLD, NEW = "20261121T080000Z-aaaaaaa", "20261122T080000Z-bbbbbbb"


@pytest.fixture
def old(engine: ScriptedEngine) -> Container:
    """Let a container serve."""
    return engine.add("loop-api", run=True, release=OLD, image="sha256:old")


@pytest.fixture
def new(engine: ScriptedEngine) -> Container:
    """Make its successor."""
    return engine.add("loop-api-next", policy="no", release=NEW, image="sha256:new")


def params(engine: ScriptedEngine, state: str = "swapped") -> dict[str, Any]:
    """Return the module's parameters."""
    return {
        "name": "loop-api",
        "state": state,
        "restart_policy": "unless-stopped",
        "state_dir": str(Path(engine.path).parent),
        "socket": engine.path,
    }


def clean(engine: ScriptedEngine) -> bool:
    """Return whether no journal is left."""
    return not (Path(engine.path).parent / "swap-loop-api.json").exists()


def test_new_container_takes_the_old_one_s_place(
    run: Run, engine: ScriptedEngine, old: Container, new: Container
) -> None:
    """The old one is kept, stopped for good, and latest means what runs."""
    kind, result = run("container_swap", latest="loop-api:latest", **params(engine))
    assert (kind, result["before"], result["after"], result["image"]) == ("ok", OLD, NEW, "sha256:new")
    assert (new.name, new.status, new.policy) == ("loop-api", "running", "unless-stopped")
    assert (old.name, old.status, old.policy) == ("loop-api-previous", "exited", "no")
    assert engine.images == {"loop-api:latest": "sha256:new"}
    assert clean(engine)


@pytest.mark.parametrize("image", ["sha256:new", f"loop-api:{NEW}"])
def test_image_that_runs_is_the_one_that_was_wanted(
    run: Run, engine: ScriptedEngine, old: Container, new: Container, image: str
) -> None:
    """By its id, or by the name of the release that `--to` asks for."""
    engine.images[f"loop-api:{NEW}"] = "sha256:new"
    kind, result = run("container_swap", image=image, unproved=f"loop-api:{NEW}", **params(engine))
    assert result["image"] == "sha256:new" and f"loop-api:{NEW}" in engine.images


def test_container_of_another_image_is_refused(
    run: Run, engine: ScriptedEngine, old: Container, new: Container
) -> None:
    """A name may have moved since the release was built; what serves goes on."""
    engine.images[f"loop-api:{NEW}"] = "sha256:moved"
    kind, result = run("container_swap", image=f"loop-api:{NEW}", **params(engine))
    assert kind == "failed" and "has the image sha256:new instead of sha256:moved" in result["msg"]
    kind, result = run("container_swap", image="loop-api:gone", **params(engine))
    assert kind == "failed" and "There is no image loop-api:gone on this NAS" in result["msg"]
    assert all(request.startswith("GET ") for request in engine.seen) and clean(engine)


@pytest.mark.parametrize("state", ["swapped", "rolled_back"])
def test_image_that_runs_afterwards_is_told_when_it_is_another_one(
    run: Run, engine: ScriptedEngine, old: Container, state: str
) -> None:
    """That the engine started something is not that it started what was asked for."""
    name = "loop-api-next" if state == "swapped" else "loop-api-previous"
    new = engine.add(name, policy="no", release=NEW, image="sha256:new")
    engine.hook = lambda: setattr(new, "image", "sha256:other" if new.running else "sha256:new")
    kind, result = run("container_swap", **params(engine, state))
    assert kind == "failed" and result["rolled_back"] is False
    assert f"loop-api runs the image sha256:other, release {NEW}, instead of sha256:new" in result["msg"]


def test_the_one_before_the_kept_one_goes(run: Run, engine: ScriptedEngine, old: Container, new: Container) -> None:
    """One container is kept, not a row of them."""
    engine.add("loop-api-previous", policy="no", status="exited")
    assert run("container_swap", **params(engine))[0] == "ok"
    assert engine.names() == {"loop-api-previous": "exited", "loop-api": "running"}


def test_new_container_is_not_started_by_a_reboot_before_it_proved_itself(
    run: Run, engine: ScriptedEngine, old: Container, new: Container
) -> None:
    """Until then the engine brings the old one back, whatever the new one was made with."""
    new.policy, seen = "always", []
    engine.hook = lambda: seen.append((old.policy, new.policy)) if not old.running else None
    run("container_swap", **params(engine))
    assert seen[0] == ("always", "no")
    assert ("no", "no") not in seen
    assert (old.policy, new.policy) == ("no", "unless-stopped")


@pytest.mark.parametrize("stopping", [0.0, 1.5])
def test_gap_is_the_time_from_the_stop_until_the_new_one_answers(
    run: Run, engine: ScriptedEngine, old: Container, new: Container, stopping: float
) -> None:
    """The engine's own verdict, which comes later, is no part of it."""
    old.stopping, new.verdict = stopping, "starting"
    engine.clock.after(stopping + 20, lambda: setattr(new, "verdict", "healthy"))
    _, result = run("container_swap", **params(engine))
    assert stopping < result["gap"] < stopping + 0.3


def test_declared_stop_timeout_ends_what_does_not_stop(
    run: Run, engine: ScriptedEngine, old: Container, new: Container
) -> None:
    """An app that ignores SIGTERM is away for its five seconds, not for ever."""
    old.stopping = 1000
    assert 5 < run("container_swap", **params(engine))[1]["gap"] < 5.3


def test_first_deployment_has_nothing_to_stop(run: Run, engine: ScriptedEngine, new: Container) -> None:
    """Nothing was there, so nothing was away."""
    kind, result = run("container_swap", **params(engine))
    assert (kind, result["before"], result["gap"]) == ("ok", "none", 0.0)
    assert engine.names() == {"loop-api": "running"}


def test_container_that_did_not_run_is_replaced_and_kept(run: Run, engine: ScriptedEngine, new: Container) -> None:
    """Nobody was served, so nobody waited."""
    engine.add("loop-api", status="exited", by_hand=True)
    assert run("container_swap", **params(engine))[1]["gap"] == 0.0
    assert engine.names() == {"loop-api-previous": "exited", "loop-api": "running"}


def test_rollback_exchanges_both(run: Run, engine: ScriptedEngine, old: Container) -> None:
    """What ran is kept in turn, and what was kept runs with its policy."""
    kept = engine.add("loop-api-previous", policy="no", status="exited", by_hand=True, release=NEW)
    kind, result = run("container_swap", **params(engine, "rolled_back"))
    assert (kind, result["after"]) == ("ok", NEW)
    assert (kept.name, kept.status, kept.policy) == ("loop-api", "running", "unless-stopped")
    assert (old.name, old.status, old.policy) == ("loop-api-previous", "exited", "no")


@pytest.mark.parametrize(("state", "missing"), [("swapped", "loop-api-next"), ("rolled_back", "loop-api-previous")])
def test_without_a_successor_nothing_is_touched(
    run: Run, engine: ScriptedEngine, old: Container, state: str, missing: str
) -> None:
    """One cannot go back to what was not kept."""
    kind, result = run("container_swap", **params(engine, state))
    assert kind == "failed"
    assert result["msg"].startswith(f"There is no container {missing} to put in loop-api's place")
    assert ("--to" in result["msg"]) == missing.endswith("-previous")
    assert (old.status, old.starts, result["rolled_back"]) == ("running", 1, False)


@pytest.mark.parametrize("state", ["swapped", "rolled_back", "healed"])
def test_check_mode_changes_nothing(
    run: Run, engine: ScriptedEngine, old: Container, new: Container, state: str
) -> None:
    """It only reads."""
    engine.add("loop-api-previous", policy="no", status="exited")
    kind, result = run("container_swap", check_mode=True, **params(engine, state))
    assert (kind, result["changed"]) == ("ok", True)
    assert all(request.startswith("GET ") for request in engine.seen)


FAILURES = [
    ({"refusal": "mount /x: no such file"}, "mount /x: no such file"),
    ({"polls": 0}, "it ended with exit code 1"),
    ({"polls": 1}, "it ended with exit code 1"),
    ({"polls": 2}, "it ended with exit code 1"),
    ({"polls": 2, "out_of_memory": True}, "exit code 1, it ran out of memory"),
    ({"check": 1}, "its health check did not pass within 60 s"),
    ({"check": None}, "its health check cannot be run (OCI runtime exec failed"),
    ({"check": 127}, "its health check cannot be run (curl: exit code 127)"),
    ({"check": 1, "verdict": "unhealthy"}, "its health check fails"),
    ({"verdict": "unhealthy"}, "its health check fails"),
]


@pytest.mark.parametrize(("script", "reason"), FAILURES)
@pytest.mark.parametrize("state", ["swapped", "rolled_back"])
def test_failed_successor_gives_way_to_the_old_one(
    run: Run, engine: ScriptedEngine, old: Container, state: str, script: dict[str, Any], reason: str
) -> None:
    """Whatever is wrong with it: the message says what, with its last words, and what runs again."""
    name = "loop-api-next" if state == "swapped" else "loop-api-previous"
    engine.add(name, policy="no", log=["a", "b"], **script)
    kind, result = run("container_swap", latest="loop-api:latest", **params(engine, state))
    assert (kind, result["rolled_back"]) == ("failed", True)
    assert reason in result["msg"] and "its last log lines: a | b; " in result["msg"]
    assert f"release {OLD} runs again; loop-api was away for {result['gap']:.1f} s" in result["msg"]
    assert (old.name, old.status, old.policy) == ("loop-api", "running", "unless-stopped")
    kept = [(one.name, one.policy) for one in engine.containers[1:] if not one.running]
    assert kept == ([] if state == "swapped" else [("loop-api-previous", "no")])
    assert engine.images == {} and clean(engine)


def test_taken_port_gives_the_old_one_back(run: Run, engine: ScriptedEngine, old: Container, new: Container) -> None:
    """Another container may hold the port that the new declaration wants."""
    new.port = 9000
    engine.add("grafana", run=True, port=9000)
    _, result = run("container_swap", **params(engine))
    assert "port is already allocated" in result["msg"]
    assert engine.names() == {"loop-api": "running", "grafana": "running"}


def test_release_that_does_not_work_loses_its_name(
    run: Run, engine: ScriptedEngine, old: Container, new: Container
) -> None:
    """Else it would be kept like one that served, and push a good one out."""
    engine.images, new.polls = {f"loop-api:{NEW}": "sha256:new", "loop-api:next": "sha256:new"}, 0
    run("container_swap", unproved=f"loop-api:{NEW}", **params(engine))
    assert engine.images == {"loop-api:next": "sha256:new"}


def test_rollback_where_nothing_is_left_starts_what_was_kept_as_usual(run: Run, engine: ScriptedEngine) -> None:
    """A container that somebody removed has no policy to take; stopped by hand, the new one stays so."""
    kept = engine.add("loop-api-previous", policy="no", status="exited", release=OLD)
    assert run("container_swap", **{**params(engine, "rolled_back"), "restart_policy": None})[0] == "ok"
    assert (kept.name, kept.policy) == ("loop-api", "unless-stopped")


def test_failed_first_deployment_leaves_nothing(run: Run, engine: ScriptedEngine, new: Container) -> None:
    """There is nothing to go back to, and the message says so."""
    new.polls = 0
    _, result = run("container_swap", **params(engine))
    assert result["msg"].endswith("nothing ran before, and nothing runs now")
    assert engine.containers == []


def test_failed_swap_keeps_what_was_kept_before(
    run: Run, engine: ScriptedEngine, old: Container, new: Container
) -> None:
    """A rollback after a broken release goes where it went before."""
    kept, new.polls = engine.add("loop-api-previous", policy="no", status="exited"), 0
    assert run("container_swap", **params(engine))[1]["rolled_back"] is True
    assert (kept.name, kept.policy, old.name) == ("loop-api-previous", "no", "loop-api")


def test_old_container_that_was_broken_is_put_back_as_it_was(
    run: Run, engine: ScriptedEngine, old: Container, new: Container
) -> None:
    """It never answered, so nobody waits for it to; else no next run could repair anything."""
    old.check, old.verdict, new.polls = 1, "unhealthy", 0
    assert run("container_swap", **params(engine))[1]["rolled_back"] is True
    assert engine.names() == {"loop-api": "running"} and clean(engine)


def test_container_made_by_hand_goes_by_its_image(
    run: Run, engine: ScriptedEngine, old: Container, new: Container, clock: Clock
) -> None:
    """It has no release, and no health check to ask."""
    old.release = old.verdict = None
    old.image, new.polls = "sha256:0123456789abcdef", 0
    assert "release 0123456789ab runs again" in run("container_swap", **params(engine))[1]["msg"]


def test_engine_that_asks_seldom_is_not_waited_for(run: Run, engine: ScriptedEngine, old: Container) -> None:
    """Its own check passed, and the engine's first question may be minutes away."""
    new = engine.add("loop-api-next", policy="no", verdict="starting")
    kind, _ = run("container_swap", latest="loop-api:latest", **params(engine, "swapped"))
    assert kind == "ok"
    assert (new.name, new.status) == ("loop-api", "running")
