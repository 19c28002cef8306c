"""Logins that the NAS refuses: one sentence, and one attempt, because DSM blocks an address after a few."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest

from loopdeploy.lab import LAB_PASSWORD
from tests.lab.bare import HOME
from tests.lab.conftest import LAB
from tests.lab.conftest import VAULT_PASSWORD
from tests.lab.conftest import Nas
from tests.lab.conftest import loopdeploy
from tests.lab.test_bad_input import WRONG_PASSWORD
from tests.lab.test_bad_input import require

Inventory = Callable[..., Path]
WITH_VAULT = ("--vault-password-file", VAULT_PASSWORD)
# Without the connection that an earlier run kept open: each login is one in sshd's log.
ALONE = {"ansible_ssh_extra_args": "-o ControlPath=none"}
NO_SUDO, SUDO_LOG = "nosudo", "/var/log/sudo.log"
# What sshd says of somebody who came to log in; it names his port.
LOGIN = re.compile("(?:Accepted|Failed) |Connection (?:closed|reset) by authenticating user ")

PASSWORD = re.compile("(?:Accepted|Failed) (?:password|keyboard-interactive)")


class Logs:
    """What sshd and sudo wrote on the NAS since this was made."""

    def __init__(self, nas: Nas) -> None:
        self._nas = nas
        self._sshd, self._sudo = len(self._sshd_lines()), len(self._sudo_lines())

    def logins(self) -> int:
        """Return how often somebody came to log in."""
        return len({re.findall(r" port (\d+)", line)[0] for line in self._sshd_lines()[self._sshd :]})

    def passwords(self) -> int:
        """Return how many passwords sshd was given."""
        return sum(bool(PASSWORD.match(line)) for line in self._sshd_lines()[self._sshd :])

    def sudo(self) -> list[str]:
        """Return the lines of sudo's log."""
        return self._sudo_lines()[self._sudo :]

    def _sshd_lines(self) -> list[str]:
        result = subprocess.run(["docker", "logs", LAB], check=True, capture_output=True, text=True)
        return [line for line in (result.stdout + result.stderr).splitlines() if LOGIN.match(line)]

    def _sudo_lines(self) -> list[str]:
        return self._nas.run("sh", "-c", f"cat {SUDO_LOG} 2>/dev/null; true").splitlines()


@pytest.fixture
def logs(kept: Nas) -> Iterator[Logs]:
    """Return the logs of the NAS, whose containers are not to be touched; sudo keeps one, as on DSM."""
    kept.run("cp", "-p", "/etc/sudoers", "/etc/sudoers.kept")
    kept.run("sh", "-c", f"echo 'Defaults logfile={SUDO_LOG}, loglinelen=0' >> /etc/sudoers")
    try:
        yield Logs(kept)
    finally:
        kept.run("mv", "/etc/sudoers.kept", "/etc/sudoers")
        kept.run("rm", "-f", SUDO_LOG)


def test_a_password_that_has_expired(kept: Nas, logs: Logs, inventory: Inventory) -> None:
    """The NAS wants another one first."""
    kept.run("chage", "--lastday", "0", "loopadmin")
    try:
        result = loopdeploy(*WITH_VAULT, "rebuild", inventory=inventory(**ALONE))
    finally:
        kept.run("chage", "--lastday", "-1", "loopadmin")
    require(result, 3, "password has expired", "vault set vault_ssh_password")
    assert (logs.logins(), logs.passwords()) == (1, 1)
    assert logs.sudo() == []


def test_a_user_without_sudo(kept: Nas, logs: Logs, inventory: Inventory) -> None:
    """Logs in, and is no administrator."""
    place = inventory(**ALONE)
    (place / "host_vars" / "lab").mkdir(parents=True)
    (place / "host_vars" / "lab" / "login.yml").write_text(f"ansible_user: {NO_SUDO}\n")
    kept.run("useradd", "--create-home", NO_SUDO)
    kept.run("chpasswd", stdin=f"{NO_SUDO}:{LAB_PASSWORD}\n")
    try:
        result = loopdeploy(*WITH_VAULT, "rebuild", inventory=place)
    finally:
        kept.run("userdel", "--remove", NO_SUDO)
    require(result, 3, f"{NO_SUDO} may not use sudo", "administrators")
    assert ["NOT in sudoers" in line for line in logs.sudo()] == [True]


@pytest.mark.parametrize("verb", ["rebuild", "stop"])
def test_a_sudo_password_that_is_wrong_is_tried_once(kept: Nas, logs: Logs, inventory: Inventory, verb: str) -> None:
    """It is not given a second time, to end what was never begun; nor does anybody log in again for that."""
    result = loopdeploy(*WITH_VAULT, verb, inventory=inventory(vault_sudo_password=WRONG_PASSWORD, **ALONE))
    assert result.returncode == 3
    assert ["1 incorrect password attempt" in line for line in logs.sudo()] == [True]
    assert (logs.logins(), logs.passwords()) == (1, 1)


@pytest.mark.parametrize("name", ["vault_ssh_password", "vault_sudo_password"])
def test_a_password_that_is_no_text(kept: Nas, logs: Logs, inventory: Inventory, name: str) -> None:
    """A vault made by hand has digits without quotes: YAML would read 007 as 7, and the NAS must not be given that."""
    result = loopdeploy(*WITH_VAULT, "rebuild", inventory=inventory(**{name: 20260731}, **ALONE))
    require(result, 2, f"the value of {name} is no text", f"vault set {name}`")
    assert "20260731" not in result.stdout + result.stderr
    assert (logs.passwords(), logs.sudo()) == (0, [])


def test_a_host_key_that_nobody_pinned(kept: Nas, logs: Logs, inventory: Inventory) -> None:
    """No password is given to a machine that nobody knows."""
    unknown = "-o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null"
    result = loopdeploy(*WITH_VAULT, "rebuild", inventory=inventory(ansible_ssh_common_args=unknown, **ALONE))
    require(result, 3, "host key", "init --pin")
    assert (logs.passwords(), logs.sudo()) == (0, [])


def test_a_key_that_is_refused(kept: Nas, logs: Logs, inventory: Inventory, tmp_path: Path) -> None:
    """`bootstrap` installed it and somebody took it away; the password is not tried in its place."""
    place = inventory(loop_service_ssh_key=str(tmp_path / "key"), **ALONE)
    try:
        bootstrapped = loopdeploy(*WITH_VAULT, "bootstrap", inventory=place)
        assert bootstrapped.returncode == 0, bootstrapped.stderr
        assert loopdeploy(*WITH_VAULT, "status", inventory=place).returncode == 0
        kept.run("sh", "-c", f": > {HOME}/.ssh/authorized_keys")
        after = Logs(kept)
        result = loopdeploy(*WITH_VAULT, "rebuild", inventory=place)
    finally:
        kept.run("rm", "-rf", f"{HOME}/.ssh")
        kept.run("chmod", "0777", HOME)
    require(result, 3, "login was refused", " bootstrap`", "tried once")
    assert (after.logins(), after.passwords(), after.sudo()) == (1, 0, [])
