"""Showing and changing what is in a vault, with real encryption."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import keyring
import pexpect
import pytest
import yaml
from click.testing import CliRunner
from click.testing import Result

from loopdeploy.cli import main
from loopdeploy.errors import SetupError
from loopdeploy.vault_file import close_vault
from loopdeploy.vault_file import open_vault
from loopdeploy.vault_file import with_secret
from tests.unit.memory_keyring import MemoryKeyring

PASSWORD, SECRET = "vault-password", "new-{{ secret }}-é\"'\\"
TEXT = """\
# ours
vault_ssh_password: !unsafe "ssh" # of Ann
vault_openai_api_key: !unsafe 'openai'
vault_note: |
  two
  lines
vault_last: last
"""
ANSIBLE_VAULT = str(Path(sys.executable).with_name("ansible-vault"))


@pytest.fixture(autouse=True)
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand beside an inventory with a vault and a file with its password."""
    monkeypatch.chdir(tmp_path)
    for name in ("LOOPDEPLOY_INVENTORY", "ANSIBLE_VAULT_PASSWORD_FILE"):
        monkeypatch.delenv(name, raising=False)
    Path("password").write_text(f"{PASSWORD}\n")
    file = tmp_path / "inventory" / "production" / "group_vars" / "loop" / "vault.yml"
    close_vault(file, TEXT, PASSWORD.encode())
    return file


@pytest.fixture
def backend() -> MemoryKeyring:
    """Let this process have a keyring."""
    return MemoryKeyring()


@pytest.fixture
def kept(backend: MemoryKeyring, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """Return what the keyring keeps."""
    monkeypatch.setattr(keyring.core, "_keyring_backend", backend)
    return backend.kept


def loopdeploy(*arguments: str, stdin: str | None = None) -> Result:
    """Call `loopdeploy vault` without a terminal."""
    return CliRunner().invoke(main, ["vault", *arguments], input=stdin)


def with_file(*arguments: str, stdin: str | None = None) -> Result:
    """Call it with the password's file."""
    return loopdeploy(*arguments, "--vault-password-file=password", stdin=stdin)


def text_of(vault: Path, password: str = PASSWORD) -> str:
    """Return what is in the vault."""
    return open_vault(vault, password.encode())


def spawn(*arguments: str, editor: str = "true") -> pexpect.spawn[str]:
    """Call `loopdeploy vault` on a terminal."""
    command = ["-m", "loopdeploy", "vault", *arguments]
    env = {**os.environ, "VISUAL": editor}
    return pexpect.spawn(sys.executable, command, encoding="utf-8", timeout=30, dimensions=(24, 300), env=env)


def editor(tmp_path: Path, script: str) -> str:
    """Write an editor that is a script."""
    file = tmp_path / "editor"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return str(file)


def end(child: pexpect.spawn[str]) -> tuple[int | None, str]:
    """Wait for the end; return exit code and what was shown."""
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, str(child.before)


def test_ansible_opens_what_is_written(vault: Path) -> None:
    """It is Ansible's own format, for its owner alone."""
    argv = [ANSIBLE_VAULT, "view", "--vault-password-file", "password", str(vault)]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == TEXT
    assert vault.stat().st_mode & 0o777 == 0o600


def test_view_shows_it(vault: Path) -> None:
    """In clear, because that was asked for."""
    result = with_file("view")
    assert (result.exit_code, result.stdout) == (0, TEXT)


def test_password_comes_out_of_a_program(vault: Path) -> None:
    """As Ansible runs it."""
    Path("program").write_text(f"#!/bin/sh\necho {PASSWORD}\n")
    Path("program").chmod(0o700)
    assert loopdeploy("view", "--vault-password-file=program").stdout == TEXT


def test_vault_that_cannot_be_written_is_told(vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of root no directory can be locked, so the system refuses by itself here."""

    def refuse(**arguments: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/somewhere/.vault.yml.x")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    result = with_file("set", "vault_ssh_password", stdin=f"{SECRET}\n")
    assert result.exit_code == 2
    assert result.output == f"Error: {vault} cannot be written: Permission denied; mend that, and call it again.\n"
    assert text_of(vault) == TEXT


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_is_full_is_told(monkeypatch: pytest.MonkeyPatch, unbuffered: str) -> None:
    """Neither a traceback nor a success, whether Python writes at once or at the end."""
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "loopdeploy", "vault", "view", "--vault-password-file=password"]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    message = "Error: The output, or a temporary file, cannot be written: No space left on device; free space there.\n"
    assert (ended.returncode, ended.stderr) == (1, message)


def test_mistake_of_ours_is_no_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What names no file and has nothing to do with the output keeps its traceback."""

    def fail(path: Path, password: bytes) -> str:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr("loopdeploy.vault.open_vault", fail)
    assert isinstance(with_file("view").exception, OSError)


@pytest.mark.parametrize(
    "name", ["vault_ssh_password", "vault_openai_api_key", "vault_note", "vault_last", "vault_new"]
)
def test_set_changes_one_line(vault: Path, name: str) -> None:
    """The rest, comments and order, stays as it was; the value is neither an argument nor shown."""
    result = with_file("set", name, stdin=f"{SECRET}\n")
    assert result.exit_code == 0, result.output
    assert SECRET not in result.output
    argv = ["--vault-password-file", "password", "-m", "debug", "-a", f"var={name}"]
    Path("inventory/production/hosts.yml").write_text("loop: {hosts: {nas: {ansible_connection: local}}}")
    ansible = [str(Path(sys.executable).with_name("ansible")), "-i", "inventory/production", *argv, "nas"]
    shown = subprocess.run(ansible, capture_output=True, text=True, check=True).stdout
    assert SECRET.replace("\\", "\\\\").replace('"', '\\"') in shown
    others = [line for line in TEXT.splitlines() if not line.startswith((name, "  "))]
    assert [line for line in text_of(vault).splitlines() if line in others] == others


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 'vault_a: !unsafe "x"\n'),
        ("---\n", '---\nvault_a: !unsafe "x"\n'),
        ("b: 1", 'b: 1\nvault_a: !unsafe "x"\n'),
        ("vault_a: 1", 'vault_a: !unsafe "x"\n'),
        ("vault_a:\nb: 1\n", 'vault_a: !unsafe "x"\nb: 1\n'),
        ("vault_a: >-\n  1\n\nb: 1\n", 'vault_a: !unsafe "x"\nb: 1\n'),
        ("vault_a: 1\nvault_a: 2\n", 'vault_a: 1\nvault_a: !unsafe "x"\n'),
    ],
)
def test_set_keeps_the_text_around(text: str, expected: str) -> None:
    """Whatever the text was; of two lines the last one counts."""
    assert with_secret(text, "vault_a", "x") == expected


@pytest.mark.parametrize("text", ["- a", "{a: b}", "a: [", "just words"])
def test_set_refuses_what_it_does_not_understand(text: str) -> None:
    """And quotes nothing of it."""
    with pytest.raises(SetupError, match="mend it with `loopdeploy vault edit`"):
        with_secret(text, "vault_a", "x")


@pytest.mark.parametrize(
    "text",
    [
        "b: &x 1\nvault_a: *x\nc: 2\n",
        "vault_a: &x 1\nb: *x\n",
        "b: 1\n...\n",
        "b: 1\n...\n---\n",
        "b: &x {c: 1}\nvault_a: {<<: *x}\nd: 1",
    ],
)
def test_set_changes_nothing_else_or_nothing(text: str) -> None:
    """An alias ends where its anchor does, and behind the document's end there is another one."""
    try:
        changed = with_secret(text, "vault_a", "x")
    except SetupError as error:
        assert "`loopdeploy vault edit`" in error.message
    else:
        assert yaml.safe_load(changed.replace("!unsafe ", "")) == {**yaml.safe_load(text), "vault_a": "x"}


def test_vault_that_is_a_link_stays_one(vault: Path, tmp_path: Path) -> None:
    """It may be kept in another place, for backups."""
    vault.rename(tmp_path / "kept.yml")
    vault.symlink_to(tmp_path / "kept.yml")
    assert with_file("set", "vault_last", stdin="x\n").exit_code == 0
    assert vault.is_symlink()
    assert 'vault_last: !unsafe "x"\n' in text_of(tmp_path / "kept.yml")


@pytest.mark.parametrize("name", ["ssh_password", "vault_a: b", "vault_a\nb"])
def test_set_takes_only_the_vault_s_names(vault: Path, name: str) -> None:
    """A mistyped name would change nothing that is read."""
    before = vault.read_bytes()
    assert with_file("set", name, stdin="x\n").exit_code == 2
    assert vault.read_bytes() == before


@pytest.mark.parametrize("stdin", ["", "\n", "a\nb\n"])
def test_set_wants_one_line(vault: Path, stdin: str) -> None:
    """An empty pipe must not empty a secret."""
    before = vault.read_bytes()
    assert with_file("set", "vault_last", stdin=stdin).exit_code == 2
    assert vault.read_bytes() == before


def test_set_asks_unseen_on_a_terminal(vault: Path) -> None:
    """Twice, because nobody sees what is typed."""
    child = spawn("set", "vault_last")
    for question, answer in [("Vault password: ", PASSWORD), ("New value of vault_last: ", "x"), ("again: ", "x")]:
        child.expect_exact(question)
        child.sendline(answer)
    code, shown = end(child)
    assert code == 0, shown
    assert 'vault_last: !unsafe "x"\n' in text_of(vault)


def test_rekey_gives_it_another_password(vault: Path) -> None:
    """The old one does not open it any more."""
    Path("new").write_text("another")
    result = with_file("rekey", "--new-vault-password-file=new")
    assert result.exit_code == 0, result.output
    assert text_of(vault, "another") == TEXT
    with pytest.raises(SetupError):
        text_of(vault)


@pytest.mark.parametrize("new", ["another ", "  another\n", "\tanother \r\n"])
def test_blank_at_an_end_of_a_password_is_none_of_it(vault: Path, new: str) -> None:
    """Ansible strips it out of a file and at its prompt: a vault closed with it would be closed for good."""
    Path("new").write_text(new)
    assert with_file("rekey", "--new-vault-password-file=new").exit_code == 0
    argv = [ANSIBLE_VAULT, "view", "--vault-password-file", "new", str(vault)]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == TEXT
    assert text_of(vault, "another") == TEXT


def test_typed_blank_at_an_end_is_none_of_the_password(vault: Path) -> None:
    """Neither of the old one nor of the new one."""
    child = spawn("rekey")
    for question, answer in [("Vault password: ", f"{PASSWORD} "), ("New vault password: ", "x "), ("again: ", "x ")]:
        child.expect_exact(question)
        child.sendline(answer)
    code, shown = end(child)
    assert code == 0, shown
    assert text_of(vault, "x") == TEXT


def test_remembered_password_has_no_blank_at_an_end(vault: Path, kept: dict[tuple[str, str], str]) -> None:
    """It is typed at Ansible's prompt."""
    assert loopdeploy("remember", stdin=f" {PASSWORD} \n").exit_code == 0
    assert list(kept.values()) == [PASSWORD]


def test_new_password_comes_out_of_a_program(vault: Path) -> None:
    """As the old one does; its text is no password."""
    Path("new").write_text("#!/bin/sh\necho another\n")
    Path("new").chmod(0o700)
    assert with_file("rekey", "--new-vault-password-file=new").exit_code == 0
    assert text_of(vault, "another") == TEXT


@pytest.mark.parametrize("words", ["' another'", "'another '"])
def test_new_password_that_cannot_be_typed_is_refused(vault: Path, words: str) -> None:
    """Of a program's, Ansible keeps a blank that it strips of everybody else's."""
    Path("new").write_text(f"#!/bin/sh\necho {words}\n")
    Path("new").chmod(0o700)
    before = vault.read_bytes()
    result = with_file("rekey", "--new-vault-password-file=new")
    assert (result.exit_code, vault.read_bytes()) == (2, before)
    assert "has a blank at an end" in result.output


def test_vault_that_would_not_open_is_not_written(vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one would be gone."""
    before = vault.read_bytes()
    monkeypatch.setattr("ansible.parsing.vault.VaultLib.decrypt", lambda *arguments: b"something else")
    with pytest.raises(SetupError, match="does not open again"):
        close_vault(vault, TEXT, b"another")
    assert vault.read_bytes() == before


def test_rekey_changes_the_keyring_s_too(vault: Path, kept: dict[tuple[str, str], str]) -> None:
    """Else the next verb would try the old one."""
    Path("new").write_text("another")
    loopdeploy("remember", stdin=f"{PASSWORD}\n")
    assert loopdeploy("rekey", "--new-vault-password-file=new").exit_code == 0
    assert list(kept.values()) == ["another"]


def test_vault_id_is_kept(vault: Path) -> None:
    """One that was made with a label keeps it."""
    Path("plain").write_text(TEXT)
    argv = [ANSIBLE_VAULT, "encrypt", "--vault-id", "mine@password", "--output", str(vault), "plain"]
    subprocess.run(argv, check=True, capture_output=True)
    assert with_file("set", "vault_last", stdin="x\n").exit_code == 0
    assert vault.read_text().startswith("$ANSIBLE_VAULT;1.2;AES256;mine\n")


@pytest.mark.parametrize(
    ("command", "stdin"), [("view", None), ("set vault_last", "x\n"), ("rekey", None), ("remember", "wrong\n")]
)
def test_wrong_password_is_told_in_one_sentence(vault: Path, command: str, stdin: str | None) -> None:
    """Nothing is changed, and nothing was tried twice."""
    Path("password").write_text("wrong")
    before = vault.read_bytes()
    result = with_file(*command.split(), stdin=stdin)
    assert result.exit_code == 2
    assert result.output.startswith(f"Error: The vault password does not open {vault}: give the right one")
    assert vault.read_bytes() == before


def test_tampered_vault_is_told(vault: Path) -> None:
    """One digit is enough."""
    text = vault.read_text().rstrip()
    vault.write_text(text[:-2] + ("30" if text[-2:] != "30" else "31"))
    assert "damaged or tampered with" in with_file("view").output


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("$ANSIBLE_VAULT;1.1;AES256\nxyz\n", "is damaged and cannot be decrypted"),
        ("$ANSIBLE_VAULT;1.1;AES256\n", "is damaged and cannot be decrypted"),
        ("vault_a: b\n", "is not encrypted: encrypt it with `ansible-vault encrypt"),
        (None, "make one with `loopdeploy init`"),
    ],
)
def test_what_is_no_vault_is_told(vault: Path, content: str | None, sentence: str) -> None:
    """A sentence, never a traceback."""
    vault.write_text(content) if content else vault.unlink()
    result = with_file("view")
    assert result.exit_code == 2
    assert sentence in result.output


@pytest.mark.parametrize("command", ["view", "set vault_last", "rekey", "edit"])
def test_pipeline_without_a_password_is_not_asked(vault: Path, command: str) -> None:
    """It gets a sentence at once."""
    result = loopdeploy(*command.split(), stdin="x\n")
    assert result.exit_code == 2
    assert "there is no terminal" in result.output.lower()
