"""`init` for the second operator: an inventory that somebody shared, which lacks the vault alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result

from loopdeploy.content import CONTENT
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
