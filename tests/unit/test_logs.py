"""What `logs` shows of what Docker said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.conftest import ROLES
from tests.unit.test_runner import content as content
from tests.unit.test_runner import run

SAID = {"stdout_lines": ["1 a", "3 b"], "stderr_lines": ["2 c"]}
SILENT: dict[str, list[str]] = {"stdout_lines": [], "stderr_lines": []}


@pytest.mark.parametrize(
    ("said", "changes", "shown"),
    [
        (SAID, {}, ["1 a", "2 c", "3 b"]),
        (SAID, {"lines": 2}, ["2 c", "3 b"]),
        (SAID, {"grep": "a|b", "lines": 1}, ["3 b"]),
        (SAID, {"grep": "x.*y"}, ["its log has no line that matches x.*y"]),
        (SILENT, {}, ["its log has no line"]),
        (SILENT, {"since": "10m", "grep": "x"}, ["its log has no line since 10m that matches x"]),
    ],
)
def test_what_is_shown(
    content: Path,
    capsys: pytest.CaptureFixture[str],
    said: dict[str, list[str]],
    changes: dict[str, object],
    shown: list[str],
) -> None:
    """Both streams by time, the last lines of those that match; where there is none, a sentence says so."""
    task = yaml.safe_load((ROLES / "loop_service" / "tasks" / "logs.yml").read_text())[-1]
    given = {"lines": 50, "since": "", "grep": "", **changes}
    variables: dict[str, Any] = {f"loop_service_log_{name}": value for name, value in given.items()}
    nas: dict[str, Any] = {
        "__loop_service_nas": {"exists": True},
        "__loop_service_log": said,
        "loop_service_name": "loop-api",
    }
    run(content, task, **variables, **nas)
    assert capsys.readouterr().out.splitlines() == ["loop-api:", *shown]
