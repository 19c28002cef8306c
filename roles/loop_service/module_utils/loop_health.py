"""Whether a container does its work, asked by its own declared health check instead of the engine's slow schedule."""

from __future__ import annotations

import time
from typing import Any
from typing import Callable

from ansible.module_utils.loop_engine import Engine
from ansible.module_utils.loop_problem import Problem
from ansible.module_utils.loop_problem import Refusal
from ansible.module_utils.loop_problem import Unhealthy

PAUSE = 0.2
LOG_LINES = 10
# What a shell and the engine say of a command that cannot be run.
NO_COMMAND = (126, 127)


def check_command(container: dict[str, Any]) -> list[str]:
    """Return the command of the container's health check, empty when it declares none."""
    test = (container["Config"].get("Healthcheck") or {}).get("Test") or ["NONE"]
    if test[0] == "CMD-SHELL":
        return ["/bin/sh", "-c", test[1]]
    return list(test[1:]) if test[0] == "CMD" else []


def passes(engine: Engine, container: dict[str, Any], deadline: float) -> bool:
    """Return whether the container's health check passes now; raise Unhealthy when it can never be run."""
    command = check_command(container)
    if not command:
        return True  # made by hand; that it runs is all there is to know
    try:
        call = engine.change("POST", f"/containers/{container['Id']}/exec", {"Cmd": command})["Id"]
        engine.change("POST", f"/exec/{call}/start", {"Detach": True})
        state = engine.get(f"/exec/{call}/json")
        while state and state["Running"] and time.monotonic() < deadline:
            time.sleep(PAUSE / 4)
            state = engine.get(f"/exec/{call}/json")
    except Refusal as refusal:
        missing = "executable file not found" in str(refusal) or "no such file" in str(refusal)
        if missing and _runs_on(engine, container):
            raise Unhealthy(f"its health check cannot be run ({refusal})") from refusal
        return False  # it is just ending or just beginning; its state tells
    if state is None:
        return False  # the engine was started anew and knows nothing of it
    if state["ExitCode"] in NO_COMMAND and _runs_on(engine, container):
        raise Unhealthy(f"its health check cannot be run ({command[0]}: exit code {state['ExitCode']})")
    return bool(state["ExitCode"] == 0)


def _runs_on(engine: Engine, container: dict[str, Any]) -> bool:
    """Return whether the container still runs: of one that ends just then the runtime says that a file is missing."""
    there = engine.container(container["Id"])
    return there is not None and bool(there["State"]["Status"] == "running")


def require_running(engine: Engine, name: str, starts: str | None = None) -> dict[str, Any]:
    """Return what the engine knows of a running container; raise Unhealthy when it ended or is not the same run."""
    container: dict[str, Any] | None = engine.container(name)
    if container is None:
        raise Unhealthy("somebody removed it")
    state = container["State"]
    if state["Status"] != "running":
        raise Unhealthy(f"it ended with exit code {state['ExitCode']}")
    if starts is not None and state["StartedAt"] != starts:
        raise Unhealthy("it ended and was started again")
    if (state.get("Health") or {}).get("Status") == "unhealthy":
        raise Unhealthy("its health check fails")
    return container


def wait_until_it_answers(
    engine: Engine, name: str, seconds: float, cancelled: Callable[[], bool] = lambda: False
) -> str:
    """Return when the container's own health check passed, with its start time; raise Unhealthy when it does not."""
    deadline = time.monotonic() + seconds
    while True:
        container = require_running(engine, name)
        if passes(engine, container, deadline):
            return str(container["State"]["StartedAt"])
        if cancelled():
            raise Problem("the run was interrupted")
        if time.monotonic() > deadline:
            raise Unhealthy(f"its health check did not pass within {seconds:.0f} s")
        time.sleep(PAUSE)


def watch(engine: Engine, name: str, starts: str, seconds: float, until_healthy: bool = False) -> None:
    """Return after ``seconds`` in which the container ran on, or once it is healthy; else raise Unhealthy.

    ``status`` asks the engine, so a deployment that is done has its word; one that asks seldom is not waited for.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        container = require_running(engine, name, starts)
        if until_healthy and (container["State"].get("Health") or {}).get("Status", "healthy") == "healthy":
            return
        time.sleep(PAUSE)


def last_words(engine: Engine, name: str) -> str:
    """Return what a failed container left: its last log lines, exit code, and whether it ran out of memory."""
    # Nobody waits for words: what ran before is to run again.
    engine = Engine(engine.path)
    try:
        container = engine.container(name)
        lines = engine.log(name, LOG_LINES) if container else []
    except Problem as problem:
        return f"its log could not be read ({problem})"
    if container is None:
        return "it left nothing"
    state = container["State"]
    log = " | ".join(line for line in lines if line.strip())
    memory = "it ran out of memory" if state.get("OOMKilled") else "not out of memory"
    ending = "still running" if state["Running"] else f"exit code {state['ExitCode']}"
    return f"its last log lines: {log or 'none'}; {ending}, {memory}"
