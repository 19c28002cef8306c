"""The vault in an editor: changed whole or not, and nothing of it left in clear."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path

import pytest

from loopdeploy.errors import InterruptedRunError
from loopdeploy.interruption import SIGNALS
from loopdeploy.scratch import edited
from tests.unit.test_vault import TEXT
from tests.unit.test_vault import editor
from tests.unit.test_vault import end
from tests.unit.test_vault import spawn
from tests.unit.test_vault import text_of
from tests.unit.test_vault import vault as vault


def test_edit_changes_it_and_leaves_nothing(vault: Path, tmp_path: Path) -> None:
    """The editor gets a file in memory, in a directory of its owner's alone, and its copies end with it."""
    look = f'grep core /proc/self/limits >{tmp_path}/core; ls -ld "$1" "$(dirname "$1")" >{tmp_path}/seen'
    command = editor(tmp_path, f'{look}; cp "$1" "$1~"; sed -i s/two/2/ "$1"')
    child = spawn("edit", "--vault-password-file=password", editor=command)
    code, shown = end(child)
    assert code == 0, shown
    assert text_of(vault) == TEXT.replace("two", "2")
    soft, hard = (tmp_path / "core").read_text().split()[4:6]
    assert soft == ("0" if hard == "0" else "1")
    directory, file = sorted((tmp_path / "seen").read_text().splitlines(), reverse=True)
    assert file.startswith("-rw-------") and directory.startswith("drwx------") and "/dev/shm/loopdeploy-" in directory
    assert not list(Path("/dev/shm").glob(f"{Path(directory.split()[-1]).name}*"))


def test_edit_without_a_change_writes_nothing(vault: Path) -> None:
    """The vault's file stays as it is, byte for byte."""
    before = vault.read_bytes()
    code, shown = end(spawn("edit", "--vault-password-file=password"))
    assert (code, vault.read_bytes()) == (0, before)
    assert "Nothing was changed." in shown


def test_broken_edit_is_not_saved(vault: Path, tmp_path: Path) -> None:
    """It can be mended; what is given up changes nothing."""
    child = spawn("edit", "--vault-password-file=password", editor=editor(tmp_path, 'echo "vault_a: [" >"$1"'))
    child.expect_exact("Edit it again? Else nothing is changed. [y/N]: ")
    assert "is not YAML at line" in str(child.before)
    child.sendline("n")
    assert end(child)[0] == 2
    assert text_of(vault) == TEXT


@pytest.mark.parametrize("value", ["{hunter2}", "[hunter2, b]", "0123", "12.5", "yes", ""])
def test_password_that_yaml_reads_as_something_else_is_not_saved(vault: Path, tmp_path: Path, value: str) -> None:
    """Ansible would show it in an error, or log in with another one."""
    command = editor(tmp_path, f'printf "a: 1\nvault_ssh_password: {value}\n" >"$1"')
    child = spawn("edit", "--vault-password-file=password", editor=command)
    child.expect_exact("Edit it again? Else nothing is changed. [y/N]: ")
    shown = str(child.before)
    assert "vault_ssh_password at line 2 is no text: put it in quotes" in shown and "hunter2" not in shown
    child.sendline("n")
    assert end(child)[0] == 2
    assert text_of(vault) == TEXT


def test_api_key_that_the_vault_does_not_have_is_no_fault(vault: Path, tmp_path: Path) -> None:
    """A deployment takes it out of `.env`."""
    command = editor(tmp_path, 'printf "vault_anthropic_api_key:\nvault_ssh_password: b\n" >"$1"')
    assert end(spawn("edit", "--vault-password-file=password", editor=command))[0] == 0
    assert text_of(vault) == "vault_anthropic_api_key:\nvault_ssh_password: b\n"


def test_editor_that_fails_changes_nothing(vault: Path) -> None:
    """The sentence says how to choose another."""
    code, shown = end(spawn("edit", "--vault-password-file=password", editor="/nowhere/editor"))
    assert code == 2
    assert "Nothing was changed: " in shown and "set VISUAL or EDITOR" in shown
    assert text_of(vault) == TEXT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_edit_that_is_ended_leaves_nothing(vault: Path, tmp_path: Path, number: signal.Signals) -> None:
    """A closed terminal too, and Ctrl-C and what ends a program with a core dump."""
    command = editor(tmp_path, f'echo "$1" >{tmp_path}/part; mv {tmp_path}/part {tmp_path}/seen; exec sleep 60')
    child = spawn("edit", "--vault-password-file=password", editor=command)
    while not (tmp_path / "seen").exists():
        time.sleep(0.05)
    child.kill(number)
    code, shown = end(child)
    assert code == 130, shown
    assert "Interrupted: nothing was changed." in shown
    assert not Path((tmp_path / "seen").read_text().strip()).parent.exists()
    assert text_of(vault) == TEXT


def test_no_signal_interrupts_the_removal_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """An impatient second Ctrl-C, or a terminal that is closed behind it."""
    seen: list[Path] = []
    cleanup = tempfile.TemporaryDirectory.cleanup

    def interrupted(directory: tempfile.TemporaryDirectory[str]) -> None:
        seen.append(Path(directory.name))
        for number in SIGNALS:
            os.kill(os.getpid(), number)
        cleanup(directory)

    monkeypatch.setattr("tempfile.TemporaryDirectory.cleanup", interrupted)
    monkeypatch.setattr("click.edit", lambda filename: None)
    before = [signal.getsignal(number) for number in SIGNALS]
    assert edited("text", "vault.yml") == "text"
    monkeypatch.setattr("click.edit", lambda filename: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(InterruptedRunError):
        edited("text", "vault.yml")
    assert [directory.exists() for directory in seen] == [False, False]
    assert [signal.getsignal(number) for number in SIGNALS] == before
