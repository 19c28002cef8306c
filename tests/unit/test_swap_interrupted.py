"""A replacement that is killed, or loses its engine or the NAS, at each of its steps, and what heals it."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.conftest import Run
from tests.unit.killer import Killer
from tests.unit.scripted_engine import HangUp
from tests.unit.scripted_engine import ScriptedEngine
from tests.unit.test_container_swap import clean
from tests.unit.test_container_swap import params

SCRIPTS: dict[str, dict[str, Any]] = {
    "good": {},
    "refused": {"refusal": "mount /x: no such file"},
    "crashing": {"polls": 2},
    "sick": {"check": 1},
}
SCENES = [("swapped", True), ("swapped", False), ("rolled_back", True)]

# Starts a replacement and kills it behind so many steps; returns whether it was killed.
Kill = Callable[[str, int], bool]


@pytest.fixture
def kill(run: Run, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch) -> Kill:
    """Kill a replacement."""
    killer = Killer(monkeypatch)
    return lambda state, steps: killer(steps, lambda: run("container_swap", timeout=1, **params(engine, state)))


class Scene:
    """A container serves, and another one is to take its place."""

    def __init__(self, engine: ScriptedEngine, state: str, kept: bool, **script: Any) -> None:
        engine.containers.clear()
        self.engine, self.kept = engine, kept
        self.old = engine.add("loop-api", run=True, release="old")
        before: dict[str, Any] = {"policy": "no", "status": "exited", "by_hand": True}
        if state == "rolled_back":
            self.new = engine.add("loop-api-previous", **before, **script)
        else:
            if kept:
                engine.add("loop-api-previous", **before)
            self.new = engine.add("loop-api-next", policy="no", **script)
        self.right = [self.old] if script else [self.old, self.new]

    def require_one(self, when: str) -> None:
        """See that one container serves, as before or as wanted, and that at most the one before is kept."""
        running = [one for one in self.engine.containers if one.running]
        assert len(running) == 1, (when, self.engine.names())
        (serving,) = running
        assert serving in self.right, when
        assert (serving.name, serving.policy) == ("loop-api", "unless-stopped"), when
        others = [(one.name, one.policy) for one in self.engine.containers if one is not serving]
        assert others == ([("loop-api-previous", "no")] if self.kept or serving is self.new else []), when
        assert clean(self.engine), when


def heal(run: Run, engine: ScriptedEngine, when: str) -> None:
    """Do what the next run does first, and see that it leaves nothing to do."""
    kind, result = run("container_swap", timeout=1, **params(engine, "healed"))
    assert kind == "ok", (when, result)
    assert run("container_swap", timeout=1, **params(engine, "healed"))[1] == {"changed": False, "healed": []}, when


def killed_each_time(kill: Kill, scene: Callable[[], Scene], state: str) -> Iterator[tuple[Scene, str]]:
    """Yield what a replacement leaves that is killed behind its first step, its second, and so on to its end."""
    for steps in itertools.count():
        left = scene()
        seen = len(left.engine.seen)
        killed = kill(state, steps)
        yield left, f"killed behind step {steps}: {left.engine.seen[seen:][-1:]}"
        if not killed:
            assert steps > 15
            return


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(("state", "kept"), SCENES)
def test_killed_replacement_is_healed_at_every_step(
    run: Run, engine: ScriptedEngine, kill: Kill, state: str, kept: bool, script: str
) -> None:
    """One container serves again, the old one or the new one, and nothing lies about."""
    for scene, when in killed_each_time(kill, lambda: Scene(engine, state, kept, **SCRIPTS[script]), state):
        heal(run, engine, when)
        scene.require_one(when)


@pytest.mark.parametrize("order", [list, reversed])
@pytest.mark.parametrize("script", ["good", "crashing"])
@pytest.mark.parametrize(("state", "kept"), SCENES)
def test_reboot_at_any_step_leaves_a_container_running(
    run: Run, engine: ScriptedEngine, kill: Kill, state: str, kept: bool, script: str, order: Any
) -> None:
    """Whichever the engine starts first takes the port; the next run puts the rest right."""
    for scene, when in killed_each_time(kill, lambda: Scene(engine, state, kept, **SCRIPTS[script]), state):
        engine.restart(order)
        assert [one for one in engine.containers if one.running], when
        heal(run, engine, when)
        scene.require_one(when)


@pytest.mark.parametrize("order", [list, reversed])
@pytest.mark.parametrize(("state", "kept"), SCENES[1:])
def test_engine_that_restarts_at_any_step_is_survived(
    run: Run, engine: ScriptedEngine, state: str, kept: bool, order: Any
) -> None:
    """It comes back and goes on with whatever its policies started."""
    for number in itertools.count():
        scene, begun = Scene(engine, state, kept), len(engine.seen)
        when = f"restarted behind request {number}"
        engine.hook = functools.partial(restart_once, engine, order, begun + number)
        run("container_swap", timeout=1, **params(engine, state))
        engine.hook = lambda: None
        assert [one for one in engine.containers if one.running], when
        heal(run, engine, when)
        scene.require_one(when)
        if "restart" not in engine.seen[begun:]:
            assert number > 15
            break


def restart_once(engine: ScriptedEngine, order: Any, at: int) -> None:
    """Restart the engine instead of answering that request."""
    if len(engine.seen) == at:
        engine.seen.append("restart")
        engine.restart(order)
        raise HangUp


@pytest.mark.parametrize("script", ["good", "refused"])
@pytest.mark.parametrize(("state", "kept"), SCENES)
def test_any_request_that_fails_leaves_one_container_serving(
    run: Run, engine: ScriptedEngine, state: str, kept: bool, script: str
) -> None:
    """The replacement says so at once, and what it could not do the next run does."""
    for number in itertools.count():
        scene, begun = Scene(engine, state, kept, **SCRIPTS[script]), len(engine.seen)
        engine.hook = functools.partial(fail_once, engine, begun + number)
        kind, result = run("container_swap", timeout=1, **params(engine, state))
        engine.hook = lambda: None
        asked = engine.seen[begun:]
        when = f"request {number} failed: {asked[number:][:1]}"
        assert "loop-api is down" not in result.get("msg", "") or not scene.old.running, when
        assert kind == "failed" or scene.new.running, when
        heal(run, engine, when)
        scene.require_one(when)
        if len(asked) <= number:
            assert number > 15
            break


def fail_once(engine: ScriptedEngine, at: int) -> None:
    """Let the engine fail at that request."""
    if len(engine.seen) == at:
        engine.fault(".", status=500, message="device busy")


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("stopped", [True, False])
def test_killed_deployment_beside_nothing_that_runs_is_healed(
    run: Run, engine: ScriptedEngine, kill: Kill, script: str, stopped: bool
) -> None:
    """The new container serves, or all is as it was: nothing there, or one that was stopped by hand."""
    for steps in itertools.count():
        engine.containers.clear()
        if stopped:
            engine.add("loop-api", status="exited", by_hand=True)
        new = engine.add("loop-api-next", policy="no", **SCRIPTS[script])
        killed = kill("swapped", steps)
        heal(run, engine, f"killed behind step {steps}")
        done = {"loop-api": "running", **({"loop-api-previous": "exited"} if stopped else {})}
        undone = {"loop-api": "exited"} if stopped else {}
        assert engine.names() in ([done, undone] if script == "good" else [undone]), steps
        assert clean(engine) and (new.running or engine.names() == undone)
        if not killed:
            break
