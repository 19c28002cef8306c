"""What the operator's shell says of Ansible by variables: a run is the same whatever they are."""

from __future__ import annotations

import os
import threading
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


def test_pipe_with_the_vault_password_is_read_once(
    content: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read is gone, and Ansible's own process would wait for it."""
    encrypt(content)
    pipe = content / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[(content / "password").read_bytes()])
    writer.start()
    monkeypatch.setenv("ANSIBLE_VAULT_PASSWORD_FILE", str(pipe))
    run(content, say("{{ vault_word }}"), target=Target(vault_password_file=str(pipe)))
    writer.join()
    assert capsys.readouterr().out == "opened\n"


def test_no_other_vault_password_is_asked(
    content: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be, for each vault id that the environment names."""
    encrypt(content)
    monkeypatch.setenv("ANSIBLE_VAULT_IDENTITY_LIST", "dev@prompt")
    run(content, say("{{ vault_word }}"), target=Target(vault_password_file=str(content / "password")))
    assert capsys.readouterr().out == "opened\n"


@pytest.mark.parametrize(
    ("variable", "kept"),
    [
        ("ANSIBLE_SSH_HOST_KEY_CHECKING", False),  # any host key
        ("ANSIBLE_SSH_RETRIES", False),  # more logins than one, for which DSM blocks an address
        ("ANSIBLE_SSH_ARGS", False),  # the same, by another way to give the password
        ("ANSIBLE_SSH_PIPELINING", False),  # modules with their secrets on the NAS
        ("ANSIBLE_TRANSPORT", False),  # this machine in the NAS's place
        ("ANSIBLE_BECOME_PASSWORD_FILE", False),
        ("ANSIBLE_LIBRARY", False),  # another module under the name of one that is kept packed
        ("ANSIBLE_COLLECTIONS_PATH", True),
        ("ANSIBLE_TIMEOUT", True),
    ],
)
def test_way_to_the_nas_is_the_inventory_s(
    content: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, variable: str, kept: bool
) -> None:
    """Only where things are, and how they look, the environment may say."""
    monkeypatch.setenv(variable, "7")
    run(content, say(f"<{{{{ lookup('env', '{variable}') }}}}>"))
    assert capsys.readouterr().out == ("<7>\n" if kept else "<>\n")
    assert os.environ[variable] == "7"
