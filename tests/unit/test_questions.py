"""What comes from a terminal, a file or standard input, whatever the locale, and where there is none of them."""

from __future__ import annotations

import codecs
import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest
from click.testing import CliRunner

from loopdeploy.cli import main
from loopdeploy.vault_file import close_vault
from loopdeploy.vault_file import open_vault

PASSWORD, TEXT = "vault-password", "vault_x: old\n"
# Python lets pass in these what is not in UTF-8, when it reads standard input.
LOCALES = [{"LC_ALL": "C.UTF-8"}, {"LC_ALL": "C"}, {}]
LATIN = "päss\n".encode("latin-1")


@pytest.fixture(autouse=True)
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand beside an inventory with a vault and a file with its password."""
    monkeypatch.chdir(tmp_path)
    for name in ("LOOPDEPLOY_INVENTORY", "ANSIBLE_VAULT_PASSWORD_FILE", "LANG", "LC_ALL", "LC_CTYPE"):
        monkeypatch.delenv(name, raising=False)
    Path("password").write_text(f"{PASSWORD}\n")
    file = tmp_path / "inventory" / "production" / "group_vars" / "loop" / "vault.yml"
    close_vault(file, TEXT, PASSWORD.encode())
    return file


def refused(*arguments: str, stdin: bytes | None = None, **environment: str) -> str:
    """Call loopdeploy, without standard input unless it is given; return what the one sentence of its error says."""
    command = [sys.executable, "-m", "loopdeploy", *arguments]
    env = {**os.environ, **environment}
    if stdin is None:
        command = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
    done = subprocess.run(command, input=stdin, capture_output=True, env=env)
    told = done.stderr.decode()
    assert (done.returncode, told.count("\n")) == (2, 1), told
    return told


@pytest.mark.parametrize("locale", LOCALES)
def test_secret_that_is_not_in_utf8_is_refused_in_any_locale(vault: Path, locale: dict[str, str]) -> None:
    """In the vault, YAML could not read it: every later verb would fail."""
    arguments = ["vault", "set", "vault_x", "--vault-password-file=password"]
    told = refused(*arguments, stdin=LATIN, **locale)
    assert told == "Error: Standard input is not in UTF-8: convert it, and mend the input.\n"
    assert open_vault(vault, PASSWORD.encode()) == TEXT


@pytest.mark.parametrize("unseen", [True, False])
def test_typing_what_is_not_in_utf8_is_told(unseen: bool) -> None:
    """A terminal of an old machine sends latin-1."""
    arguments = ["vault", "view"] if unseen else ["init", "other"]
    command = ["-m", "loopdeploy", *arguments]
    child: pexpect.spawn[bytes] = pexpect.spawn(sys.executable, command, timeout=30, dimensions=(24, 300))
    child.expect_exact("Vault password: " if unseen else "Address of the NAS: ")
    child.send(LATIN)
    child.expect(pexpect.EOF)
    child.close()
    option = "--vault-password-file" if unseen else "--address"
    # Behind what was typed, where that is seen.
    seen = (child.before or b"").split(b"\r\n")[not unseen :]
    assert child.exitstatus == 2
    assert [line.decode() for line in seen if line] == [
        f"Error: What was typed is not in UTF-8: let the terminal and the locale use UTF-8, or give {option}."
    ]


def test_mark_of_utf8_is_no_part_of_a_secret(vault: Path) -> None:
    """Windows' editors put it in front of a file."""
    arguments = ["vault", "set", "vault_x", "--vault-password-file=password"]
    assert CliRunner().invoke(main, arguments, input=codecs.BOM_UTF8 + b"new\r\n").exit_code == 0
    assert open_vault(vault, PASSWORD.encode()) == 'vault_x: !unsafe "new"\n'


def test_mark_of_utf8_in_a_new_vault_password_is_refused(vault: Path) -> None:
    """Ansible reads that file itself, mark and all, so that nobody could type the password."""
    Path("new").write_bytes(codecs.BOM_UTF8 + b"new\n")
    arguments = ["vault", "rekey", "--vault-password-file=password", "--new-vault-password-file=new"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: The new vault password has a byte order mark in front: save its file without one.\n"
    )
    assert open_vault(vault, PASSWORD.encode()) == TEXT


def test_secret_is_one_line_by_any_end_of_line() -> None:
    """A second one, as an old Mac has it, is none of it."""
    arguments = ["vault", "set", "vault_x", "--vault-password-file=password"]
    assert "is not one line" in CliRunner().invoke(main, arguments, input=b"new\rsecond\r").stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("status", "needs a password and there is no terminal to ask on: give --vault-password-file"),
        ("init other", "Address of the NAS is needed and there is no terminal to ask on: give --address."),
        ("vault edit", "There is no terminal to edit on"),
        ("vault set vault_x --vault-password-file=password", "Standard input cannot be read: mend the input."),
        ("vault remember", "Standard input cannot be read: mend the input."),
    ],
)
def test_closed_standard_input_is_nobody_to_ask(arguments: str, sentence: str) -> None:
    """Python has no sys.stdin then, as under some supervisors."""
    assert sentence in refused(*arguments.split())
