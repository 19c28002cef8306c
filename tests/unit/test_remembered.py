"""The operating system's keyring, when it is no help."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import keyring
import pytest

from loopdeploy import remembered
from loopdeploy.errors import SetupError
from loopdeploy.target import Target
from tests.unit.memory_keyring import MemoryKeyring

HERE = Path("/inventory")


class LockedKeyring(MemoryKeyring):
    """Waits for somebody to unlock it."""

    def __init__(self) -> None:
        super().__init__()
        self.unlocked = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        """Wait."""
        self.unlocked.wait(60)
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        """Wait, too."""
        self.unlocked.wait(60)


class BrokenKeyring(MemoryKeyring):
    """Raises what the libraries of a desktop raise."""

    def get_password(self, service: str, username: str) -> str | None:
        """Fail."""
        raise RuntimeError("No D-Bus\nsecond line")

    set_password = get_password  # type: ignore[assignment]


def test_locked_keyring_stops_no_pipeline(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up after some seconds, and the password looked for elsewhere."""
    backend = LockedKeyring()
    monkeypatch.setattr(keyring.core, "_keyring_backend", backend)
    monkeypatch.setitem(remembered.PATIENCE, False, 0.1)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    begun = time.monotonic()
    assert remembered.recall(HERE) is None
    assert time.monotonic() - begun < 5
    with pytest.raises(SetupError, match="it does not answer, so it may be locked; use --vault-password-file"):
        remembered.remember(HERE, "x")
    backend.unlocked.set()


def test_broken_keyring_gives_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it raises; a verb goes on without it."""
    monkeypatch.setattr(keyring.core, "_keyring_backend", BrokenKeyring())
    assert remembered.recall(HERE) is None
    with pytest.raises(SetupError, match="cannot be used: .*; use --vault-password-file instead"):
        remembered.remember(HERE, "x")


class PlaintextKeyring(MemoryKeyring):
    """As keyrings.alt has one: a file."""


class OwnPlaintextKeyring(PlaintextKeyring):
    """Somebody's own, made of it."""

    priority = 5


class UnlikelyKeyring(MemoryKeyring):
    """One that keyring recommends to nobody."""

    priority = 0.6


class Chain(MemoryKeyring):
    """Writes into the first that takes it, as keyring's own."""

    priority = 10

    def __init__(self, *backends: MemoryKeyring) -> None:
        super().__init__()
        self.backends = backends


@pytest.mark.parametrize(
    "backend",
    [PlaintextKeyring(), OwnPlaintextKeyring(), UnlikelyKeyring(), Chain(PlaintextKeyring(), MemoryKeyring())],
    ids=lambda backend: type(backend).__name__,
)
def test_keyring_in_clear_is_not_given_the_password(backend: MemoryKeyring, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would stand in a file of the home directory, and in its backups."""
    monkeypatch.setattr(keyring.core, "_keyring_backend", backend)
    with pytest.raises(
        SetupError, match="cannot be used: .*Keyring keeps passwords in clear, or not well enough; use --"
    ):
        remembered.remember(HERE, "x")
    assert backend.kept == {}


def test_chain_that_begins_with_a_sealed_keyring_is_given_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes behind it gets nothing."""
    monkeypatch.setattr(keyring.core, "_keyring_backend", Chain(MemoryKeyring(), PlaintextKeyring()))
    remembered.remember(HERE, "x")
    assert remembered.recall(HERE) == "x"


@pytest.mark.parametrize("target", [Target("lab"), Target("plain"), Target("sealed", vault_password_file="password")])
def test_keyring_is_not_asked_when_it_is_not_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: Target
) -> None:
    """It takes time, and may bring up a window."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").mkdir()
    (tmp_path / "password").touch()
    (tmp_path / "sealed" / "group_vars").mkdir(parents=True)
    (tmp_path / "sealed" / "group_vars" / "loop.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    monkeypatch.setattr("loopdeploy.target.recall", lambda inventory: pytest.fail("it was asked"))
    target.vault_password()


def test_command_imports_neither_keyring_nor_ansible() -> None:
    """Every verb would pay for it."""
    names = ["keyring", "ansible", "cryptography", "loopdeploy.init", "loopdeploy.vault"]
    code = f"import sys, loopdeploy.cli; print([name for name in {names} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
