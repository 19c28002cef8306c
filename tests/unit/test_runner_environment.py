"""What the operator's shell says of Ansible by variables: a run is the same whatever they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopdeploy.errors import LoopdeployError
from loopdeploy.target import Target
from tests.unit.test_runner import content as content
from tests.unit.test_runner import encrypt
from tests.unit.test_runner import mark as mark
from tests.unit.test_runner import run
from tests.unit.test_runner import say

# A run that asks for something would wait for ever.
pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("variable", ["ANSIBLE_ASK_PASS", "ANSIBLE_ASK_VAULT_PASS", "ANSIBLE_BECOME_ASK_PASS"])
def test_nothing_is_asked_where_nobody_sees_it(
    content: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """The vault is open already, and the passwords are in it."""
    encrypt(content)
    monkeypatch.setenv(variable, "True")
    run(content, say("{{ vault_word }}"), target=Target(vault_password_file=str(content / "password")))
    assert capsys.readouterr().out == "opened\n"


@pytest.mark.parametrize("setting", ["ANSIBLE_ENABLE_TASK_DEBUGGER=True", "ANSIBLE_STRATEGY=debug"])
def test_failure_starts_no_debugger(content: Path, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    """It would wait for commands."""
    monkeypatch.setenv(*setting.split("="))
    with pytest.raises(LoopdeployError, match="told"):
        run(content, {"name": "Fail", "ansible.builtin.fail": {"msg": "told"}})


@pytest.mark.parametrize("variable", ["ANSIBLE_RUN_TAGS", "ANSIBLE_SKIP_TAGS"])
def test_no_step_is_left_out(
    content: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Nothing done would pass for nothing to do."""
    monkeypatch.setenv(variable, "other" if variable == "ANSIBLE_RUN_TAGS" else "all")
    run(content, say("done"))
    assert capsys.readouterr().out == "done\n"
