"""`init` where there is an inventory already."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from loopdeploy.content import CONTENT
from tests.unit.fake_nas import FakeNas
from tests.unit.test_init import PRODUCTION
from tests.unit.test_init import PUBLIC
from tests.unit.test_init import SSH
from tests.unit.test_init import VARIABLES
from tests.unit.test_init import files as files
from tests.unit.test_init import host
from tests.unit.test_init import init
from tests.unit.test_init import nas as nas
from tests.unit.test_init import scripted
from tests.unit.test_init import snapshot
from tests.unit.test_init import variables
from tests.unit.test_init import where


def test_second_run_of_a_script_changes_nothing(nas: FakeNas, files: dict[str, str]) -> None:
    """A sentence says how to."""
    scripted(nas, files)
    before = snapshot()
    result = scripted(nas, files)
    assert result.exit_code == 2
    assert result.output == (
        "Error: inventory/production already has hosts.yml and group_vars/loop/vault.yml, and nothing was changed:"
        " change a secret with `loopdeploy vault set NAME`, or write all of it anew with --replace.\n"
    )
    assert snapshot() == before


def test_replace_writes_it_anew_and_keeps_the_variables(nas: FakeNas, files: dict[str, str]) -> None:
    """Paths and ports that the operator set are no answer of init."""
    scripted(nas, files)
    own = "loop_api_port: 1\nloop_public_url: https://own.example.org\n"
    (PRODUCTION / VARIABLES).write_text(own)
    Path(files["ssh-password"]).write_text("another")
    given = [f"--{name}-file={file}" for name, file in files.items()]
    assert init(*[option for option in where(nas) if "public" not in option], *given, "--replace").exit_code == 0
    assert variables()["vault_ssh_password"] == "another"
    assert (PRODUCTION / VARIABLES).read_text() == own
    assert scripted(nas, files, "--replace").exit_code == 0
    assert (PRODUCTION / VARIABLES).read_text() == f"loop_api_port: 1\nloop_public_url: {PUBLIC}\n"


def test_replace_forgets_the_key_of_the_old_nas(nas: FakeNas, files: dict[str, str]) -> None:
    """Its empty password would win over the new one; other variables of the NAS are the operator's."""
    scripted(nas, files)
    login = PRODUCTION / "host_vars" / "nas" / "login.yml"
    login.parent.mkdir(parents=True)
    login.write_text('ansible_password: ""\n')
    (login.parent / "own.yml").write_text("loop_api_port: 1\n")
    result = scripted(nas, files, "--replace")
    assert result.exit_code == 0
    assert list(login.parent.iterdir()) == [login.parent / "own.yml"]
    assert f"{login} is removed: `loopdeploy bootstrap` lets a key log in again." in result.output


def test_replace_keeps_each_old_vault_where_ansible_does_not_read_it(nas: FakeNas, files: dict[str, str]) -> None:
    """It may be the only place of another secret; its password may be another one, too."""
    scripted(nas, files)
    vault = PRODUCTION / "group_vars" / "loop" / "vault.yml"
    first = vault.read_bytes()
    Path(files["vault-password"]).write_text("another")
    result = scripted(nas, files, "--replace")
    assert f"The old vault is kept as {vault}.old, with its old password: delete it" in result.output
    assert scripted(nas, files, "--replace").exit_code == 0
    assert (Path(f"{vault}.old").read_bytes(), Path(f"{vault}.old").stat().st_mode & 0o777) == (first, 0o600)
    assert Path(f"{vault}.old2").exists()
    ansible = Path(sys.executable).with_name("ansible-inventory")
    command = [str(ansible), "-i", str(PRODUCTION), "--vault-password-file", files["vault-password"], "--list"]
    assert subprocess.run(command, capture_output=True, text=True).returncode == 0


@pytest.mark.parametrize("arguments", [[], ["--replace"]])
def test_vault_in_clear_is_not_copied(nas: FakeNas, files: dict[str, str], arguments: list[str]) -> None:
    """Nothing is ever written in clear; it is told before anything is asked."""
    scripted(nas, files)
    vault = PRODUCTION / "group_vars" / "loop" / "vault.yml"
    vault.write_text("vault_ssh_password: secret\n")
    before = snapshot()
    result = init(*arguments)
    assert (result.exit_code, snapshot()) == (2, before)
    assert result.output == (
        f"Error: The vault {vault} is not encrypted: encrypt it with `ansible-vault encrypt {vault}`, or remove it.\n"
    )


def test_replace_keeps_each_old_list_of_hosts_where_ansible_does_not_read_it(
    nas: FakeNas, files: dict[str, str]
) -> None:
    """It may have variables that nobody asks for, of a NAS that is no longer there, too."""
    scripted(nas, files)
    hosts = PRODUCTION / "hosts.yml"
    hosts.write_text(own := hosts.read_text() + "    old: {ansible_host: old.lan}\n")
    hosts.chmod(0o600)
    result = scripted(nas, files, "--replace")
    assert f"The old hosts.yml is kept as {hosts}.bak: delete it once you need nothing of it." in result.output
    assert scripted(nas, files, "--replace").exit_code == 0
    assert (Path(f"{hosts}.bak").read_text(), Path(f"{hosts}2.bak").read_text()) == (own, hosts.read_text())
    assert Path(f"{hosts}.bak").stat().st_mode & 0o777 == 0o600
    ansible = Path(sys.executable).with_name("ansible-inventory")
    command = [str(ansible), "-i", str(PRODUCTION), "--vault-password-file", files["vault-password"], "--graph"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "nas" in shown and "old" not in shown


def test_replace_puts_a_new_vault_in_place_of_anything(nas: FakeNas, files: dict[str, str]) -> None:
    """Of one that is damaged, or empty, too."""
    vault = PRODUCTION / "group_vars" / "loop" / "vault.yml"
    vault.parent.mkdir(parents=True)
    for content in ("$ANSIBLE_VAULT;1.2", "", "\n"):
        vault.write_text(content)
        assert scripted(nas, files, "--replace").exit_code == 0
        assert variables()["vault_ssh_password"] == SSH


def test_blank_inventory_of_a_clone_is_filled_in(nas: FakeNas, files: dict[str, str]) -> None:
    """It names no NAS yet, so there is nothing to lose."""
    PRODUCTION.mkdir(parents=True)
    (PRODUCTION / "hosts.yml").write_text((CONTENT / "inventory" / "production" / "hosts.yml").read_text())
    assert scripted(nas, files).exit_code == 0
    assert host()["ansible_host"] == "nas.lan"


def test_vault_alone_is_not_overwritten(nas: FakeNas, files: dict[str, str]) -> None:
    """It may be the only place of a key."""
    vault = PRODUCTION / "group_vars" / "loop" / "vault.yml"
    vault.parent.mkdir(parents=True)
    vault.write_text("precious")
    assert scripted(nas, files).exit_code == 2
    assert vault.read_text() == "precious"


@pytest.mark.parametrize("arguments", [(), ("--replace",)])
def test_new_directory_has_nothing_to_do_with_the_one_it_is_made_in(
    nas: FakeNas, files: dict[str, str], arguments: tuple[str, ...]
) -> None:
    """An ordinary project of Ansible's, with a vault and an inventory of its own."""
    for file in ("group_vars/all/vault.yml", "group_vars/loop/vault.yml", "group_vars/loop.yml"):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    before = snapshot()
    result = scripted(nas, files, "second", *arguments)
    assert result.exit_code == 0, result.output
    assert before.items() <= snapshot().items()
    assert variables(Path("second"))["vault_ssh_password"] == SSH


def test_replace_that_fails_takes_no_login_away(
    nas: FakeNas, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written leaves the old inventory as it was, and says which copies it made."""
    scripted(nas, files)
    login = PRODUCTION / "host_vars" / "nas" / "login.yml"
    login.parent.mkdir(parents=True)
    login.write_text('ansible_password: ""\n')
    before = snapshot()

    def full(file: Path, text: str, password: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(file))

    monkeypatch.setattr("loopdeploy.new_inventory.close_vault", full)
    result = scripted(nas, files, "--replace")
    assert result.exit_code == 2 and "No space left on device" in result.output.splitlines()[-1]
    assert before.items() <= snapshot().items()
    assert all(f"{PRODUCTION}/{copy}" in result.output for copy in ("hosts.yml.bak", "group_vars/loop/vault.yml.old"))
