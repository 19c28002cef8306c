"""The key of `bootstrap` on this machine, with a script in the place of ssh and a login that there is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loopdeploy.content import CONTENT
from loopdeploy.errors import LoopdeployError
from loopdeploy.runner import run_playbook
from loopdeploy.target import Target
from tests.unit.test_api_keys import play
from tests.unit.test_doctor_playbook import here as here
from tests.unit.test_doctor_playbook import variables


@pytest.mark.parametrize("mode", [None, 0o755, 0o777])
def test_directory_of_the_key_is_made_and_never_changed(here: Path, mode: int | None) -> None:
    """A key may lie in the operator's home, which is not to be closed to others for it."""
    directory = here / "keys"
    if mode is not None:
        directory.mkdir()
        directory.chmod(mode)
    login = {"ansible_user": "nobody-of-that-name", "ansible_python_interpreter": sys.executable}
    nas = variables(here, loop_service_ssh_key=str(directory / "key"), **login)
    (here / "hosts.yml").write_text(json.dumps({"loop": {"hosts": {"nas": nas}}}))
    with pytest.raises(LoopdeployError, match="The NAS has no user nobody-of-that-name"):
        run_playbook("bootstrap", Target(inventory=str(here / "hosts.yml")))
    assert (directory / "key").stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == (0o700 if mode is None else mode)


UNWANTED = {"ANSIBLE_PIPELINING": "0", "ANSIBLE_SSH_PIPELINING": "0"}


def bare_login(here: Path) -> Path:
    """Write an inventory whose `bootstrap` ends at its first module on the NAS; return where a file of it would be."""
    login = {"ansible_user": "nobody-of-that-name", "ansible_python_interpreter": sys.executable}
    nas = variables(here, loop_service_ssh_key=str(here / "key"), ansible_remote_tmp=str(here / "tmp"), **login)
    (here / "hosts.yml").write_text(json.dumps({"loop": {"hosts": {"nas": nas}}}))
    return here / "tmp"


def test_no_variable_of_the_operator_s_puts_a_module_on_the_nas_or_shows_what_ssh_said(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Some modules are given secrets."""
    files = bare_login(here)
    for name, value in {**UNWANTED, "ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_DEBUG": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LoopdeployError, match="The NAS has no user nobody-of-that-name"):
        run_playbook("bootstrap", Target(inventory=str(here / "hosts.yml"), verbose=1))
    assert not files.exists()
    assert "_low_level_execute_command()" not in capsys.readouterr().out


def test_ansible_by_itself_puts_no_module_on_the_nas_either(here: Path) -> None:
    """Whatever the inventory, and whatever the configuration says."""
    files = bare_login(here)
    ansible = str(Path(sys.executable).with_name("ansible-playbook"))
    command = [ansible, "-i", str(here / "hosts.yml"), "playbooks/bootstrap.yml"]
    result = subprocess.run(command, cwd=CONTENT, env={**os.environ, **UNWANTED}, capture_output=True, text=True)
    assert "The NAS has no user nobody-of-that-name" in result.stdout
    assert not files.exists()


KNOWN = {"__loop_service_login": {"home": "/home/ann"}, "__loop_service_key_login": {"msg": "Permission\r\ndenied"}}


def refused(tmp_path: Path, key: Path) -> str:
    """Return what `bootstrap` says when ``key`` does not log in."""
    take = {"import_role": {"name": "loop_service", "tasks_from": "login_refused", "rolespec_validate": False}}
    return play(tmp_path, take, loop_service_ssh_key=str(key), **KNOWN).stdout


@pytest.mark.parametrize(
    ("passphrase", "mode", "sentence"),
    [
        ("", 0o600, "The NAS refuses the key {key}, which is in /home/ann/.ssh/authorized_keys: allow public keys"),
        ("words", 0o600, "is installed, but does not open without its passphrase: load it with `ssh-add {key}`"),
        ("", 0o644, "is installed, but may be read by others, so ssh does not use it: make it yours alone with `chmod"),
        ("words", 0o640, "may be read by others, so ssh does not use it: make it yours alone with `chmod 600 {key}`"),
    ],
)
def test_key_that_does_not_log_in_says_why(tmp_path: Path, passphrase: str, mode: int, sentence: str) -> None:
    """With a passphrase that no agent knows, or a mode that ssh minds, it is not the NAS that refuses it."""
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(key)], check=True)
    key.chmod(mode)
    said = refused(tmp_path, key)
    assert sentence.format(key=key) in said
    assert ("ssh said: Permission denied" in said) == (not passphrase and mode == 0o600)


def test_key_that_is_none_needs_no_passphrase(tmp_path: Path) -> None:
    """What ssh-keygen said of it is told, whatever the name of its file."""
    key = tmp_path / "key with a passphrase"
    key.write_text("nonsense\n")
    key.chmod(0o600)
    said = refused(tmp_path, key)
    assert "ssh-keygen cannot read it: put a whole one in its place" in said
    assert "ssh-keygen said: Load key" in said and "ssh-add" not in said
