"""What `loopdeploy init` asks on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pexpect
import pytest

from tests.unit.fake_nas import FakeNas
from tests.unit.test_init import PRODUCTION
from tests.unit.test_init import PUBLIC
from tests.unit.test_init import SECRETS
from tests.unit.test_init import VARIABLES
from tests.unit.test_init import files as files
from tests.unit.test_init import nas as nas
from tests.unit.test_init import scripted
from tests.unit.test_init import snapshot
from tests.unit.test_init import variables

SSH, SUDO, OPENAI, ANTHROPIC, VAULT = "ssh-{{ 1 }}'\"\\", "sudo-é", "sk-openai", "sk-anthropic", "vault-password"


class Terminal:
    """An operator who answers what `loopdeploy init` asks."""

    def __init__(self, *arguments: str) -> None:
        command = ["-m", "loopdeploy", "init", *arguments]
        self.child: pexpect.spawn[str] = pexpect.spawn(
            sys.executable, command, encoding="utf-8", timeout=30, dimensions=(24, 300)
        )
        self.seen = ""

    def answer(self, question: str, text: str) -> None:
        """Wait for ``question`` and type ``text``."""
        self.child.expect_exact(question)
        self.seen += self.child.before or ""
        self.child.sendline(text)

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        self.child.expect(pexpect.EOF)
        self.seen += self.child.before or ""
        self.child.close()
        return int(self.child.exitstatus if self.child.exitstatus is not None else -1)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """Close what a failed test leaves open."""
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.child.close(force=True)


def answer_all(terminal: Terminal) -> None:
    """Answer every question."""
    terminal.answer("Address of the NAS: ", "nas.lan")
    terminal.answer("SSH port [22]: ", "")
    terminal.answer("Login: ", "ann")
    terminal.answer("Public URL of the services (https://NAME): ", PUBLIC)
    terminal.answer("Is it the same? [y/N]: ", "y")
    terminal.answer("Password of the login: ", SSH)
    terminal.answer("Password for sudo [the same]: ", "")
    terminal.answer("OpenAI API key [the one in .env on the NAS]: ", OPENAI)
    terminal.answer("Anthropic API key [the one in .env on the NAS]: ", "")
    terminal.answer("New vault password: ", VAULT)
    terminal.answer("New vault password, again: ", VAULT)


def test_operator_is_asked_and_nothing_secret_is_echoed(nas: FakeNas, terminals: list[Terminal]) -> None:
    """From an empty directory to an inventory that the other verbs find."""
    terminals.append(terminal := Terminal())
    answer_all(terminal)
    assert terminal.end() == 0, terminal.seen
    assert nas.pinned("ed25519").split()[2]
    assert "SHA256:" in terminal.seen and "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in terminal.seen
    assert "go on with `loopdeploy bootstrap`." in terminal.seen
    assert not [secret for secret in SECRETS if secret in terminal.seen]
    assert (PRODUCTION / "known_hosts.txt").read_text() == nas.pinned("ed25519")
    assert f"\nloop_public_url: {PUBLIC}\n" in (PRODUCTION / VARIABLES).read_text()
    assert variables() == {
        "vault_ssh_password": SSH,
        "vault_sudo_password": SSH,
        "vault_openai_api_key": OPENAI,
        "vault_anthropic_api_key": "",
    }


def test_refused_host_key_ends_it_before_a_password_is_typed(terminals: list[Terminal]) -> None:
    """Nothing is written, and nothing was given away."""
    terminals.append(terminal := Terminal("--address=nas.lan", "--port=22", "--login=ann", f"--public-url={PUBLIC}"))
    terminal.answer("Is it the same? [y/N]: ", "n")
    assert terminal.end() == 2
    assert "somebody else may answer at nas.lan" in terminal.seen
    assert snapshot() == {}


def test_second_run_asks_before_anything(nas: FakeNas, files: dict[str, str], terminals: list[Terminal]) -> None:
    """And changes nothing when the answer is no, which it is by default."""
    scripted(nas, files)
    before = snapshot()
    terminals.append(terminal := Terminal())
    terminal.answer("group_vars/loop/vault.yml, and nothing was changed; write it anew? [y/N]: ", "")
    assert terminal.end() == 2
    assert "Nothing was changed in inventory/production: change a secret with" in terminal.seen
    assert snapshot() == before


def test_interrupted_questions_change_nothing(terminals: list[Terminal]) -> None:
    """Ctrl-C ends with 130 and one sentence."""
    terminals.append(terminal := Terminal("--address=nas.lan", "--port=22", "--login=ann", f"--public-url={PUBLIC}"))
    terminal.answer("Is it the same? [y/N]: ", "y")
    terminal.child.expect_exact("Password of the login: ")
    terminal.child.sendintr()
    assert terminal.end() == 130
    assert "Interrupted: nothing was changed." in terminal.seen
    assert snapshot() == {}


def test_wait_for_the_host_key_can_be_interrupted(nas: FakeNas, terminals: list[Terminal]) -> None:
    """With 130, too; a NAS that is off takes long."""
    nas.scan.write_text(f"#!/bin/sh\ntouch {nas.directory}/waits\nexec sleep 60\n")
    terminals.append(terminal := Terminal("--address=nas.lan", "--port=22", "--login=ann", f"--public-url={PUBLIC}"))
    while not (nas.directory / "waits").exists():
        time.sleep(0.05)
    terminal.child.sendintr()
    assert terminal.end() == 130
    assert "Aborted" not in terminal.seen and "Interrupted before it was done: call it again." in terminal.seen
    assert snapshot() == {}
