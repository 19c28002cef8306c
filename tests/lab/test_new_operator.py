"""What a new operator does, from an empty directory to two healthy services, in a terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from loopdeploy.lab import LAB_PASSWORD
from tests.lab.bare import HOME
from tests.lab.bare import NAS_PYTHONS
from tests.lab.bare import bare
from tests.lab.conftest import STATE
from tests.lab.conftest import Nas
from tests.lab.conftest import lab_ports
from tests.lab.test_doctor import NOT_OK

VAULT_PASSWORD = "a vault password of a new operator"
API_KEYS = {"OpenAI": "new-openai-key", "Anthropic": "new-anthropic-key"}


class Operator:
    """Somebody with a home and a directory of their own, both empty, in front of a terminal."""

    def __init__(self, directory: Path) -> None:
        self.home, self.desk = directory / "home", directory / "desk"
        self.home.mkdir()
        self.desk.mkdir()

    def spawn(self, *argv: str) -> pexpect.spawn[str]:
        """Type a command of loopdeploy."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "LOOPDEPLOY_"))}
        environment = {**clean, "HOME": str(self.home), "COLUMNS": "200", "TERM": "xterm"}
        program = str(Path(sys.executable).with_name("loopdeploy"))
        return pexpect.spawn(program, list(argv), cwd=self.desk, env=environment, encoding="utf-8", timeout=300)

    def verb(self, *argv: str) -> tuple[int, str]:
        """Type a verb and the vault password, and return the exit code and what the terminal shows."""
        child = self.spawn(*argv)
        child.expect_exact("Vault password: ")
        child.sendline(VAULT_PASSWORD)
        shown = str(child.read())
        child.close()
        assert VAULT_PASSWORD not in shown and LAB_PASSWORD not in shown
        assert child.exitstatus is not None, f"ended by signal {child.signalstatus}: {shown}"
        return int(child.exitstatus), shown

    def init(self, nas: Nas) -> None:
        """Answer what `init` asks, after a look at the NAS's own fingerprint."""
        child = self.spawn("init")
        answers = [
            ("Address of the NAS: ", "127.0.0.1"),
            ("SSH port [22]: ", str(lab_ports()["ssh"])),
            ("Login: ", "loopadmin"),
            ("Public URL of the services (https://NAME): ", f"https://127.0.0.1:{lab_ports()['https']}"),
        ]
        for question, answer in answers:
            child.expect_exact(question)
            child.sendline(answer)
        child.expect_exact("Is it the same? [y/N]: ")
        shown = nas.run("ssh-keygen", "-lf", "/etc/ssh/ssh_host_ed25519_key.pub").split()[1]
        assert shown in str(child.before)
        child.sendline("y")
        secrets = [
            ("Password of the login: ", LAB_PASSWORD),
            ("Password for sudo [the same]: ", ""),
            ("OpenAI API key [the one in .env on the NAS]: ", API_KEYS["OpenAI"]),
            ("Anthropic API key [the one in .env on the NAS]: ", API_KEYS["Anthropic"]),
            ("New vault password: ", VAULT_PASSWORD),
            ("New vault password, again: ", VAULT_PASSWORD),
        ]
        for question, answer in secrets:
            child.expect_exact(question)
            assert LAB_PASSWORD not in str(child.before)
            child.sendline(answer)
        rest = child.read()
        child.close()
        assert child.exitstatus == 0, rest

    def files(self) -> dict[str, str]:
        """Return what stands in the files on the desk and at home."""
        found = [file for root in (self.desk, self.home) for file in root.rglob("*") if file.is_file()]
        return {str(file): file.read_text(errors="replace") for file in found}


def not_ok(shown: str) -> dict[str, str]:
    """Return of each line of doctor's table that is not ok its state, by its subject."""
    lines = re.findall(r"^(ok|warning|failed|not asked) {2,}(\S+(?: \S+)*) {2,}\S", shown, re.MULTILINE)
    assert ("ok", "login") in lines
    return {subject: state for state, subject in lines if state != "ok"}


@pytest.fixture
def operator() -> Iterator[Operator]:
    """Return a new operator; the directory's name is short, because ssh puts a socket into it."""
    directory = Path(tempfile.mkdtemp(prefix="new-", dir="/tmp"))
    yield Operator(directory)
    shutil.rmtree(directory)


@pytest.mark.parametrize("python", NAS_PYTHONS)
def test_from_an_empty_directory_to_two_healthy_services(empty_nas: Nas, operator: Operator, python: str) -> None:
    """On a NAS with Python 3.8, without requests, SFTP or a home directory."""
    with bare(empty_nas, python):
        operator.init(empty_nas)
        vault = operator.desk / "inventory" / "production" / "group_vars" / "loop" / "vault.yml"
        assert vault.stat().st_mode & 0o777 == 0o600
        known = [LAB_PASSWORD, VAULT_PASSWORD, *API_KEYS.values()]
        assert not [file for file, text in operator.files().items() if any(secret in text for secret in known)]

        code, shown = operator.verb("doctor")
        assert code == 1
        assert "loopdeploy bootstrap" in shown
        assert empty_nas.run("sh", "-c", f"ls -d {STATE} {HOME} 2>/dev/null; true") == ""

        code, shown = operator.verb("bootstrap")
        assert code == 0, shown
        assert empty_nas.run("stat", "-c", "%a %U", STATE).split() == ["700", "root"]
        assert empty_nas.run("ls", f"{HOME}/.ssh").split() == ["authorized_keys"]

        code, shown = operator.verb("doctor")
        assert code == 0, shown
        assert f" {python}." in shown
        assert "failed" not in shown

        code, shown = operator.verb("rebuild-all")
        assert code == 0, shown
        code, shown = operator.verb("status")
        assert code == 0, shown
        assert shown.count("(healthy)") == 2

        code, shown = operator.verb("doctor")
        assert code == 0, shown
        assert not_ok(shown) == NOT_OK, shown
        assert not [file for file, text in operator.files().items() if any(secret in text for secret in known)]
    assert empty_nas.healthy()
    assert "OPENAI_API_KEY=new-openai-key" in empty_nas.inspect("loop-api")["Config"]["Env"]
