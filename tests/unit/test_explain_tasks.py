"""What an operator reads when a restart, a start or a stop failed: the real tasks, with a docker of the test's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.test_api_keys import play

ID = "ab" * 32
LOGS = "echo listening; echo no space >&2"


def explained(tmp_path: Path, inspected: str, logs: str, running: bool) -> str:
    """Return what is told of a restart that failed, with what docker says then."""
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\ncase "$1" in container) {inspected};; logs) {logs};; *) exit 9;; esac\n')
    docker.chmod(0o755)
    failing = {"name": "Restart loop-api", "ansible.builtin.fail": {"msg": "timed out"}}
    tell = {"include_role": {"name": "loop_service", "tasks_from": "explain", "rolespec_validate": False}}
    variables = {
        "loop_docker": str(docker),
        "loop_state_dir": "/state",
        "loop_service_name": "loop-api",
        "__loop_service_nas": {"id": ID, "running": running},
        "__loop_service_since": "{{ now().timestamp() - 3 }}",
    }
    said = play(tmp_path, {"block": [failing], "rescue": [tell]}, **variables).stdout
    return str(re.findall(r'"msg": "(.*)"', said)[-1])


@pytest.mark.parametrize(
    ("state", "ending", "runs"),
    [
        (
            f"{ID} false 137 true sha256:0123456789abcdef r1",
            "exit code 137, it ran out of memory",
            "release r1 does not run",
        ),
        (f"{ID} true 0 false sha256:0123456789abcdef r1", "still running, not out of memory", "release r1 runs"),
        (
            f"{ID} true 0 false sha256:0123456789abcdef ",
            "still running, not out of memory",
            "release 0123456789ab runs",
        ),
    ],
)
def test_failure_is_told_in_the_order_in_which_it_is_read(tmp_path: Path, state: str, ending: str, runs: str) -> None:
    """Why, the last log lines, how it ended, which release runs, and for how long the service was away."""
    told = explained(tmp_path, f"echo 'container {state}'", LOGS, running=True)
    before, _, away = told.rpartition("; ")
    assert before == (
        "loop-api failed: timed out; its last log lines: listening | no space; "
        f"{ending}; {runs}, the same container as before"
    )
    assert re.fullmatch(r"loop-api was away for at most ([3-9]|\d\d)\.\d s", away)


def test_container_that_is_another_one_or_gone_is_told(tmp_path: Path) -> None:
    """Somebody else is at work on it."""
    other = explained(tmp_path, f"echo 'container {'cd' * 32} true 0 false sha256:01 r2'", "true", running=True)
    assert "its last log lines: none; still running" in other
    assert "release r2 runs, another container than before; loop-api was away" in other
    gone = explained(tmp_path, "exit 1", "echo No such container >&2; exit 1", running=False)
    assert gone == "loop-api failed: timed out; it left nothing; nothing runs; loop-api did not run before"
