"""Which inventory a verb works on, and where its vault password comes from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest

from loopdeploy.content import LAB_INVENTORY
from loopdeploy.content import LAB_VAULT_PASSWORD
from loopdeploy.errors import InterruptedRunError
from loopdeploy.errors import SetupError
from loopdeploy.target import Target
from loopdeploy.vault_password import VaultPassword

VAULT = "$ANSIBLE_VAULT;1.1;AES256\n6162\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty directory, without a terminal."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def _standard_input(given: int) -> Iterator[None]:
    """Let programs read what comes from the file descriptor ``given``."""
    kept = os.dup(0)
    os.dup2(given, 0)
    os.close(given)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)


def _program(file: Path, script: str) -> Path:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)
    return file


def inventory(path: Path, name: str = "group_vars/loop/vault.yml", text: str = "") -> Path:
    """Make an inventory with one file of variables."""
    (path / name).parent.mkdir(parents=True)
    (path / "hosts.yml").write_text("loop:\n")
    (path / name).write_text(text)
    return path


def on_terminal(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    """Let an operator sit at a terminal and type ``answer``."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("click.prompt", lambda text, hide_input, err: answer if hide_input and err else "")


def test_name_is_looked_up_in_the_directory_s_inventories(here: Path) -> None:
    """inventory/NAME comes before a path of that name."""
    (here / "mine").mkdir()
    (here / "inventory" / "mine").mkdir(parents=True)
    assert Target("mine").inventory_path() == here / "inventory" / "mine"


def test_default_is_production(here: Path) -> None:
    """A verb without options works on the real NAS."""
    (here / "inventory" / "production").mkdir(parents=True)
    assert Target().inventory_path() == here / "inventory" / "production"


@pytest.mark.parametrize("name", ["elsewhere", "elsewhere/hosts.yml"])
def test_path_of_a_directory_or_a_file_is_taken(here: Path, name: str) -> None:
    """An inventory may lie anywhere."""
    inventory(here / "elsewhere")
    assert Target(name).inventory_path() == here / name
    assert Target(str(here / name)).inventory_path() == here / name


def test_lab_comes_with_loopdeploy() -> None:
    """The practice NAS needs no inventory here."""
    assert Target("lab").inventory_path() == LAB_INVENTORY


def test_own_lab_comes_first(here: Path) -> None:
    """An inventory named lab here is the operator's choice."""
    (here / "inventory" / "lab").mkdir(parents=True)
    assert Target("lab").inventory_path() == here / "inventory" / "lab"


def test_missing_inventory_says_what_to_do() -> None:
    """Nothing was contacted, so the exit code is 2."""
    with pytest.raises(SetupError, match="no inventory 'nope'.*name yours with -i, or try .* -i lab") as error:
        Target("nope").inventory_path()
    assert error.value.exit_code == 2


def test_vault_password_file_is_given_by_its_full_path(here: Path) -> None:
    """Ansible starts elsewhere, so a relative name is resolved."""
    inventory(here / "mine", text=VAULT)
    (here / "password").write_text("secret")
    assert Target("mine", vault_password_file="password").vault_password() == VaultPassword(file=here / "password")


@pytest.mark.parametrize("name", ["program", "link-client"])
def test_password_program_runs_here_and_under_the_name_that_it_is_called_by(
    here: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It may ask on the terminal, which Ansible's own process lacks; and -client makes another program of it."""
    inventory(here / "mine", text=VAULT)
    program = _program(here / "program", 'read word\necho "$(basename "$0") $# $word"')
    (here / "link-client").symlink_to(program)
    given = "link-client 2 " if name == "link-client" else "program 0 "
    operator, terminal = os.openpty()
    os.write(operator, b"secret\n")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    with _standard_input(terminal):
        assert Target("mine", vault_password_file=name).vault_password() == VaultPassword(secret=f"{given}secret")
    os.close(operator)


def test_password_program_takes_nothing_of_what_is_piped(here: Path) -> None:
    """It is a new secret, or the rest of a script; and a pipe that nobody writes into would hang a pipeline."""
    inventory(here / "mine", text=VAULT)
    _program(here / "program", "cat\necho secret")
    reader, writer = os.pipe()
    os.write(writer, b"for somebody else")
    with _standard_input(reader):
        assert Target("mine", vault_password_file="program").vault_password() == VaultPassword(secret="secret")
        assert os.read(0, 100) == b"for somebody else"
    os.close(writer)


@pytest.mark.parametrize("said", ["one\\ntwo", "blank ", "\\344", "a" * 4096])
def test_password_program_whose_word_cannot_be_typed_is_left_to_ansible(here: Path, said: str) -> None:
    """At a prompt Ansible strips what it keeps of a program's, and a terminal cuts a longer line off."""
    inventory(here / "mine", text=VAULT)
    program = _program(here / "program", f"printf '{said}\\n'")
    assert Target("mine", vault_password_file="program").vault_password() == VaultPassword(file=program)


def test_password_file_that_looks_like_a_program_says_so(here: Path) -> None:
    """Each file does where the file system has no modes."""
    inventory(here / "mine", text=VAULT)
    _program(here / "pass word", "").write_text("secret\n")
    with pytest.raises(SetupError) as caught:
        Target("mine", vault_password_file="pass word").vault_password()
    assert caught.value.message == (
        f"The vault password program {here}/pass word does not run or gives no password: mend it, or where it is a file"
        f" with the password, `chmod -x '{here}/pass word'`."
    )


@pytest.mark.parametrize("name", ["nope", "~nobody-of-this-name/password"])
def test_missing_vault_password_file_says_what_to_do(here: Path, name: str) -> None:
    """A mistyped file ends before anything is contacted."""
    inventory(here / "mine", text=VAULT)
    with pytest.raises(SetupError, match=f"no vault password file {name}: mend --vault-password-file"):
        Target("mine", vault_password_file=name).vault_password()


def test_password_that_can_be_read_once_is_read_here(here: Path) -> None:
    """A shell's <(...) is a pipe that Ansible's own process does not have, and one command may run two playbooks."""
    inventory(here / "mine", text=VAULT)
    reading, writing = os.pipe()
    os.write(writing, "\ufeffsecret\n".encode())
    os.close(writing)
    target = Target("mine", vault_password_file=f"/dev/fd/{reading}")
    assert target.vault_password() == target.vault_password() == VaultPassword(secret="secret")
    assert "secret" not in repr(target)
    os.close(reading)


@pytest.mark.parametrize("given", [b"", b" \n", b"one\ntwo\n", b"\xe4\n"])
def test_pipe_that_gives_no_password_says_so(here: Path, given: bytes) -> None:
    """Ansible would be asked to type it."""
    inventory(here / "mine", text=VAULT)
    reading, writing = os.pipe()
    os.write(writing, given)
    os.close(writing)
    with pytest.raises(SetupError, match="mend --vault-password-file"):
        Target("mine", vault_password_file=f"/dev/fd/{reading}").vault_password()
    os.close(reading)


def test_lab_opens_its_own_vault() -> None:
    """The practice NAS asks for nothing."""
    assert Target("lab").vault_password() == VaultPassword(file=LAB_VAULT_PASSWORD)


def test_lab_s_own_file_wins(here: Path) -> None:
    """ANSIBLE_VAULT_PASSWORD_FILE, set for production, does not shut the lab's vault."""
    (here / "password").write_text("secret")
    assert Target("lab", vault_password_file="password").vault_password() == VaultPassword(file=LAB_VAULT_PASSWORD)


@pytest.mark.parametrize("name", ["group_vars/loop/vault.yml", "group_vars/loop/vault.yml.example"])
def test_nothing_is_asked_when_nothing_is_encrypted(here: Path, name: str) -> None:
    """A pipeline without a vault runs."""
    inventory(here / "mine", name, text="a: b\n" if name.endswith("yml") else VAULT)
    assert Target("mine").vault_password() == VaultPassword()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("group_vars/loop/vault.yml", VAULT),
        ("group_vars/loop.yaml", VAULT),
        ("group_vars/loop", VAULT),
        ("host_vars/nas/vault", VAULT),
        ("group_vars/all/main.yml", "a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n"),
    ],
)
def test_vault_without_terminal_says_what_to_do(here: Path, name: str, text: str) -> None:
    """A pipeline gets an error instead of a prompt, wherever the vault is."""
    inventory(here / "mine", name, text)
    with pytest.raises(SetupError, match="no terminal to ask on: give --vault-password-file, or set") as error:
        Target("mine").vault_password()
    assert error.value.exit_code == 2


def test_vault_is_found_beside_a_hosts_file(here: Path) -> None:
    """An inventory named by its file has the same vault."""
    inventory(here / "mine", text=VAULT)
    with pytest.raises(SetupError, match="no terminal"):
        Target("mine/hosts.yml").vault_password()


def test_keyring_comes_before_a_prompt(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A password that was remembered for this inventory is not asked, on no terminal either."""
    path = inventory(here / "mine", text=VAULT)
    monkeypatch.setattr("loopdeploy.target.recall", {path: "kept"}.get)
    assert Target("mine").vault_password() == VaultPassword(secret="kept")


def test_terminal_is_asked_unseen(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password is not echoed, and the prompt stays out of the output."""
    inventory(here / "mine", text=VAULT)
    on_terminal(monkeypatch, "secret")
    assert Target("mine").vault_password() == VaultPassword(secret="secret")


def test_terminal_is_asked_once(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupted verb and the recovery behind it are one command."""
    inventory(here / "mine", text=VAULT)
    on_terminal(monkeypatch, "secret")
    target = Target("mine")
    target.vault_password()
    on_terminal(monkeypatch, "another")
    assert target.vault_password() == VaultPassword(secret="secret")
    assert "secret" not in repr(target)


def test_interrupted_prompt_changed_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at the password ends with 130."""
    inventory(here / "mine", text=VAULT)
    on_terminal(monkeypatch, "")

    def abort(text: str, **options: object) -> str:
        raise click.Abort

    monkeypatch.setattr("click.prompt", abort)
    with pytest.raises(InterruptedRunError, match="nothing was changed") as error:
        Target("mine").vault_password()
    assert error.value.exit_code == 130


@pytest.mark.parametrize(
    ("inventory", "advised"),
    [
        ("production", "try `loopdeploy start`, or `loopdeploy lab up`"),
        ("lab", "try `loopdeploy -i lab start`, or `loopdeploy lab up`"),
        ("my nas", "try `loopdeploy -i 'my nas' start`, or `loopdeploy lab up`"),
    ],
)
def test_advice_is_for_the_same_nas(inventory: str, advised: str) -> None:
    """A command that is copied must not meet the default inventory, which may be the team's own NAS."""
    target = Target(inventory=inventory)
    assert target.advised("try `loopdeploy start`, or `loopdeploy lab up`") == advised
    # An error of the recovery behind an interrupted run comes through it twice.
    assert target.advised(advised) == advised
