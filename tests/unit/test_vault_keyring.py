"""The vault's password in the operating system's keyring."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import keyring
import pytest

from tests.unit.memory_keyring import MemoryKeyring
from tests.unit.test_vault import PASSWORD
from tests.unit.test_vault import TEXT
from tests.unit.test_vault import backend as backend
from tests.unit.test_vault import kept as kept
from tests.unit.test_vault import loopdeploy
from tests.unit.test_vault import text_of
from tests.unit.test_vault import vault as vault


def test_remembered_password_opens_the_vault_until_it_is_forgotten(
    vault: Path, kept: dict[tuple[str, str], str]
) -> None:
    """Without a file and without a terminal."""
    assert loopdeploy("remember", stdin=f"{PASSWORD}\n").exit_code == 0
    assert kept == {("loopdeploy", str(vault.parents[2])): PASSWORD}
    assert loopdeploy("view").stdout == TEXT
    assert "no longer has" in loopdeploy("forget").output
    assert kept == {}
    assert "did not have" in loopdeploy("forget").output


def test_wrong_password_is_not_remembered(vault: Path, kept: dict[tuple[str, str], str]) -> None:
    """Each verb would fail with it."""
    assert loopdeploy("remember", stdin="wrong\n").exit_code == 2
    assert kept == {}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("fail.Keyring", "cannot be used: there is none; use --vault-password-file"), ("null.Keyring", "keeps nothing")],
)
def test_machine_without_a_keyring_says_so(
    vault: Path, monkeypatch: pytest.MonkeyPatch, name: str, sentence: str
) -> None:
    """A server without a desktop has none; other verbs ask, or say what to give."""
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", f"keyring.backends.{name}")
    monkeypatch.setattr(keyring.core, "_keyring_backend", None)
    result = loopdeploy("remember", stdin=f"{PASSWORD}\n")
    assert result.exit_code == 2
    assert sentence in result.output
    assert "give --vault-password-file" in loopdeploy("view").output
    assert loopdeploy("forget").exit_code == 0


def test_keyring_that_waits_can_be_interrupted(vault: Path, backend: MemoryKeyring, kept: object) -> None:
    """Somebody may not want to unlock it."""

    def interrupted(*arguments: object) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(30)
        return PASSWORD

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend, "get_password", interrupted)
        result = loopdeploy("view")
    assert (result.exit_code, result.output) == (130, "Error: Interrupted before it was done: call it again.\n")


def test_keyring_that_keeps_the_old_password_is_told(
    vault: Path, kept: dict[tuple[str, str], str], backend: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vault is changed, so this is no call that changed nothing."""
    Path("new").write_text("another")
    loopdeploy("remember", stdin=f"{PASSWORD}\n")

    def refuse(*arguments: object) -> None:
        raise PermissionError("it is locked")

    monkeypatch.setattr(backend, "set_password", refuse)
    result = loopdeploy("rekey", "--new-vault-password-file=new")
    assert result.exit_code == 1
    assert "keyring still the old one" in result.output and "it is locked" in result.output
    assert "run `loopdeploy vault remember`" in result.output
    assert text_of(vault, "another") == TEXT
