"""`init` for the second operator: an inventory that somebody shared, which lacks the vault alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result

from loopdeploy.content import CONTENT
from loopdeploy.new_inventory import VARIABLES
from tests.unit.fake_nas import FakeNas
from tests.unit.test_init import OPENAI
from tests.unit.test_init import PRODUCTION
from tests.unit.test_init import SECRETS
from tests.unit.test_init import SSH
from tests.unit.test_init import SUDO
from tests.unit.test_init import files as files
from tests.unit.test_init import init
from tests.unit.test_init import nas as nas
from tests.unit.test_init import scripted
from tests.unit.test_init import snapshot
from tests.unit.test_init import variables

VAULT = PRODUCTION / "group_vars" / "loop" / "vault.yml"
LOGIN = PRODUCTION / "host_vars" / "nas" / "login.yml"


@pytest.fixture
def shared(nas: FakeNas, files: dict[str, str]) -> dict[Path, bytes]:
    """Stand in a clone of an inventory that is in use, without the vault; return its files."""
    scripted(nas, files)
    LOGIN.parent.mkdir(parents=True)
    LOGIN.write_text('ansible_password: ""\n')
    VAULT.unlink()
    return snapshot()


def with_secrets(files: dict[str, str], *arguments: str) -> Result:
    """Call it with the secrets alone."""
    return init(*(f"--{name}-file={file}" for name, file in files.items()), *arguments)


def test_vault_alone_is_asked_for_where_it_alone_is_missing(files: dict[str, str], shared: dict[Path, bytes]) -> None:
    """The address, the pinned host key and the key of `bootstrap` are the team's, and stay."""
    result = with_secrets(files)
    assert result.exit_code == 0, result.output
    after = snapshot()
    assert VAULT in after and {file: after[file] for file in shared} == shared
    assert variables()["vault_ssh_password"] == SSH
    assert (variables()["vault_sudo_password"], variables()["vault_openai_api_key"]) == (SUDO, OPENAI)
    kept = "hosts.yml and known_hosts.txt and host_vars/nas/login.yml"
    assert result.stderr == (
        f"inventory/production lacks only the vault, so nothing else is asked: {kept} will be kept.\n"
    )
    assert result.stdout == (
        f"The vault {VAULT} is written and encrypted, and {kept} kept: go on with `loopdeploy bootstrap`.\n"
    )
    assert not [secret for secret in SECRETS if secret in result.output]


def test_host_key_that_was_not_shared_is_to_be_pinned(files: dict[str, str], shared: dict[Path, bytes]) -> None:
    """Else no verb would log in."""
    (PRODUCTION / "known_hosts.txt").unlink()
    result = with_secrets(files)
    assert "kept: pin the host key with `loopdeploy init --pin`, then go on with `loopdeploy bootstrap`.\n" in (
        result.stdout
    )


def test_clone_that_was_filled_in_by_hand_gets_its_vault(files: dict[str, str]) -> None:
    """Its hosts.yml is somebody's work."""
    PRODUCTION.mkdir(parents=True)
    blank = (CONTENT / "inventory" / "production" / "hosts.yml").read_text()
    (PRODUCTION / "hosts.yml").write_text(filled := blank.replace("fill-in-the-address.invalid", "nas.lan"))
    (PRODUCTION / VARIABLES).parent.mkdir(parents=True)
    (PRODUCTION / VARIABLES).write_bytes((CONTENT / "inventory" / "production" / VARIABLES).read_bytes())
    assert with_secrets(files).exit_code == 0
    assert (PRODUCTION / "hosts.yml").read_text() == filled
    assert variables()["vault_ssh_password"] == SSH


@pytest.mark.parametrize(
    "option", ["--address=nas.lan", "--port=22", "--login=ann", "--public-url=https://x", "--host-key-fingerprint=x"]
)
def test_option_for_what_is_kept_is_refused(files: dict[str, str], shared: dict[Path, bytes], option: str) -> None:
    """It would not count; nothing is written."""
    result = with_secrets(files, option)
    assert (result.exit_code, snapshot()) == (2, shared)
    assert result.output == (
        "Error: inventory/production already has hosts.yml and lacks only the vault, and nothing was changed: leave out"
        f" {option.partition('=')[0]}, or write all of it anew with --replace.\n"
    )


def test_replace_writes_all_of_it_anew(nas: FakeNas, files: dict[str, str], shared: dict[Path, bytes]) -> None:
    """Whoever asks for that gets it, and keeps the old hosts.yml."""
    assert scripted(nas, files, "--replace", "--address=nas.lan", "--login=kim").exit_code == 0
    assert b'ansible_user: "kim"' in snapshot()[PRODUCTION / "hosts.yml"]
    assert snapshot()[PRODUCTION / "hosts.yml.bak"] == shared[PRODUCTION / "hosts.yml"]


def test_secret_that_is_missing_changes_nothing(shared: dict[Path, bytes]) -> None:
    """A script gets the same sentences as for a new inventory."""
    result = init()
    assert (result.exit_code, snapshot()) == (2, shared)
    assert "Password of the login is needed and there is no terminal to ask on: give --ssh-password-file." in (
        result.output
    )


@pytest.mark.parametrize(
    "hosts",
    [
        "all: {children: {loop: {hosts: {nas: {ansible_host: nas.lan}}}}}\n",
        "loop: {children: {site: {hosts: {nas: }}}}\n",
        "loop:\n  hosts:\n    nas:\n      ansible_user: !unsafe ann\n      note: !vault |\n        nothing\n",
    ],
)
def test_nas_may_stand_in_hosts_yml_in_any_of_ansible_s_ways(
    files: dict[str, str], shared: dict[Path, bytes], hosts: str
) -> None:
    """A team's own."""
    (PRODUCTION / "hosts.yml").write_text(hosts)
    assert with_secrets(files).exit_code == 0
    assert (PRODUCTION / "hosts.yml").read_text() == hosts
    assert variables()["vault_ssh_password"] == SSH


def test_variables_that_the_vault_s_directory_would_hide_are_moved_first(
    files: dict[str, str], shared: dict[Path, bytes]
) -> None:
    """Ansible reads group_vars/loop.yml or what is in group_vars/loop, and not both."""
    (PRODUCTION / VARIABLES).rename(PRODUCTION / "group_vars" / "loop.yml")
    VAULT.parent.rmdir()
    before = snapshot()
    result = with_secrets(files)
    assert (result.exit_code, snapshot()) == (2, before)
    assert f"move inventory/production/group_vars/loop.yml to {PRODUCTION / VARIABLES} and call again" in result.output
    result = with_secrets(files, "--replace")
    assert (result.exit_code, snapshot()) == (2, before)
    assert "Ansible would no longer read inventory/production/group_vars/loop.yml beside" in result.output


@pytest.mark.parametrize(
    "hosts", ["", "- nas\n", "loop: [nas]\n", "all:\n  hosts:\n    web:\n", "loop:\n  hosts:\n", "[loop]\nnas\n"]
)
def test_inventory_without_a_nas_lacks_more_than_its_vault(files: dict[str, str], hosts: str) -> None:
    """It is somebody's file, and nothing that a verb could work on."""
    (PRODUCTION / VARIABLES).parent.mkdir(parents=True)
    (PRODUCTION / VARIABLES).write_text("a: b\n")
    (PRODUCTION / "hosts.yml").write_text(hosts)
    before = snapshot()
    result = with_secrets(files)
    assert (result.exit_code, snapshot()) == (2, before)
    assert result.output.startswith("Error: inventory/production already has hosts.yml, and nothing was changed")


def test_inventory_without_variables_lacks_more_than_its_vault(
    files: dict[str, str], shared: dict[Path, bytes]
) -> None:
    """No verb could log in."""
    (PRODUCTION / VARIABLES).unlink()
    result = with_secrets(files)
    assert (result.exit_code, VAULT in snapshot()) == (2, False)


@pytest.mark.parametrize("place", ["group_vars/all/vault.yml", "host_vars/nas.yml"])
@pytest.mark.parametrize("option", [(), ("--replace",)])
def test_vault_elsewhere_gets_none_beside_it(
    nas: FakeNas, files: dict[str, str], shared: dict[Path, bytes], place: str, option: tuple[str, ...]
) -> None:
    """No password would open both."""
    other = PRODUCTION / place
    other.parent.mkdir(parents=True, exist_ok=True)
    other.write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    before = snapshot()
    result = scripted(nas, files, *option) if option else with_secrets(files)
    assert (result.exit_code, snapshot()) == (2, before)
    assert str(other) in result.output
    assert option or f"change one with `ansible-vault edit {other}`" in result.output


def test_link_to_a_vault_that_is_not_there_just_now_is_no_missing_vault(
    files: dict[str, str], shared: dict[Path, bytes], tmp_path: Path
) -> None:
    """Such as one on a stick."""
    VAULT.symlink_to(tmp_path / "stick" / "vault.yml")
    result = with_secrets(files)
    assert (result.exit_code, (tmp_path / "stick").exists()) == (2, False)
    assert f"bring back what {VAULT} leads to, or write all of it anew with --replace.\n" in result.output


@pytest.mark.parametrize("name", ["notes", "hosts.yaml", "hosts.ini", "package.json"])
def test_file_that_ansible_would_read_too_is_refused(nas: FakeNas, files: dict[str, str], name: str) -> None:
    """It would break every verb, or give each another host to work on."""
    PRODUCTION.mkdir(parents=True)
    (PRODUCTION / name).write_text("x\n")
    (PRODUCTION / "README.md").write_text("x\n")
    before = snapshot()
    result = scripted(nas, files)
    assert (result.exit_code, snapshot()) == (2, before)
    assert f"Ansible would read inventory/production/{name} as a list of hosts, too: choose" in result.output
