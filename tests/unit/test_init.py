"""A new NAS in an inventory of its own, asked on a terminal or given by a script."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from click.testing import Result

from loopdeploy.cli import main
from loopdeploy.content import CONTENT
from loopdeploy.vault_file import open_vault
from tests.unit.fake_nas import FakeNas

SSH, SUDO, OPENAI, ANTHROPIC, VAULT = "ssh-{{ 1 }}'\"\\", "sudo-é", "sk-openai", "sk-anthropic", "vault-password"
SECRETS = (SSH, SUDO, OPENAI, ANTHROPIC, VAULT)
PRODUCTION = Path("inventory", "production")
PUBLIC = "https://mcp.example.org"
VARIABLES = Path("group_vars", "loop", "main.yml")


@pytest.fixture(autouse=True)
def nas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNas:
    """Stand in an empty directory, with a NAS to set up."""
    nas = FakeNas(tmp_path / "nas", monkeypatch)
    nas.new_key("ed25519")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in ("LOOPDEPLOY_INVENTORY", "ANSIBLE_VAULT_PASSWORD_FILE"):
        monkeypatch.delenv(name, raising=False)
    return nas


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Write each secret into a file; return its path by the option's name."""
    secrets = {"ssh-password": SSH, "sudo-password": SUDO, "vault-password": VAULT}
    secrets |= {"openai-api-key": OPENAI, "anthropic-api-key": ANTHROPIC}
    (tmp_path / "secrets").mkdir()
    for name, secret in secrets.items():
        (tmp_path / "secrets" / name).write_text(f"{secret}\n")
    return {name: str(tmp_path / "secrets" / name) for name in secrets}


def init(*arguments: str, stdin: str | None = None) -> Result:
    """Call `loopdeploy init` without a terminal."""
    return CliRunner().invoke(main, ["init", *arguments], input=stdin)


def where(nas: FakeNas) -> list[str]:
    """Return the options that are no secrets."""
    fingerprint = nas.new_key("ed25519")
    return ["--address=nas.lan", "--login=ann", f"--public-url={PUBLIC}", f"--host-key-fingerprint={fingerprint}"]


def scripted(nas: FakeNas, files: dict[str, str], *arguments: str) -> Result:
    """Call it as a script does that has everything."""
    given = [f"--{name}-file={file}" for name, file in files.items()]
    return init(*where(nas), *given, *arguments)


def variables(directory: Path = PRODUCTION, password: str = VAULT) -> dict[str, str]:
    """Return what is in the vault."""
    file = directory / "group_vars" / "loop" / "vault.yml"
    return dict(yaml.safe_load(open_vault(file, password.encode()).replace("!unsafe ", "")))


def host(directory: Path = PRODUCTION) -> dict[str, object]:
    """Return the variables of the NAS."""
    return dict(yaml.safe_load((directory / "hosts.yml").read_text())["loop"]["hosts"]["nas"])


def snapshot() -> dict[Path, bytes]:
    """Return every file here with its content."""
    return {file: file.read_bytes() for file in Path().rglob("*") if file.is_file()}


def test_script_is_asked_nothing(nas: FakeNas, files: dict[str, str]) -> None:
    """Every question has an option or a file, and the output has no secret."""
    result = scripted(nas, files, "--port=2222")
    assert result.exit_code == 0, result.output
    assert not [secret for secret in SECRETS if secret in result.output]
    assert variables() == {
        "vault_ssh_password": SSH,
        "vault_sudo_password": SUDO,
        "vault_openai_api_key": OPENAI,
        "vault_anthropic_api_key": ANTHROPIC,
    }
    assert (host()["ansible_host"], host()["ansible_port"], host()["ansible_user"]) == ("nas.lan", 2222, "ann")


def test_ansible_reads_the_inventory_as_it_was_answered(nas: FakeNas, files: dict[str, str]) -> None:
    """A password that looks like a template is that password; a blank in the path does no harm."""
    scripted(nas, files, "a directory")
    ansible = Path(sys.executable).with_name("ansible-inventory")
    vault = ["--vault-password-file", files["vault-password"]]
    command = [str(ansible), "-i", "a directory", *vault, "--host", "nas", "--yaml"]
    env = {**os.environ, "HOME": str(nas.directory), "ANSIBLE_CONFIG": str(CONTENT / "ansible.cfg")}
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    read = yaml.load(shown.stdout.replace("!unsafe ", ""), yaml.SafeLoader)
    assert (read["vault_ssh_password"], read["vault_sudo_password"], read["ansible_port"]) == (SSH, SUDO, 22)


@pytest.mark.parametrize(
    ("address", "name"), [("nas.lan", "loopdeploy_nas.lan"), ("fd00::1%eth0", "loopdeploy_fd00__1_eth0")]
)
def test_each_nas_has_a_key_of_its_own(nas: FakeNas, files: dict[str, str], address: str, name: str) -> None:
    """Whoever has the one must not get into the other; ssh takes a `%` in a file's name for something else."""
    scripted(nas, files)
    hosts = PRODUCTION / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("nas.lan", address))
    ansible = str(Path(sys.executable).with_name("ansible"))
    vault = ["--vault-password-file", files["vault-password"]]
    command = [ansible, "nas", "-i", str(PRODUCTION), *vault, "-m", "debug", "-a", "var=loop_service_ssh_key"]
    env = {**os.environ, "HOME": str(nas.directory), "ANSIBLE_CONFIG": str(CONTENT / "ansible.cfg")}
    shown = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    assert f'"loop_service_ssh_key": "~/.ssh/{name}"' in shown.stdout


def test_address_may_stand_in_brackets(nas: FakeNas, files: dict[str, str]) -> None:
    """As an IPv6 address does in a URL."""
    assert scripted(nas, files, "--address=[nas.lan]").exit_code == 0
    assert host()["ansible_host"] == "nas.lan"


def test_variables_come_with_loopdeploy_and_the_public_url_from_the_operator(
    nas: FakeNas, files: dict[str, str]
) -> None:
    """An inventory outside a clone has the paths and ports of the production one, and nobody else's address."""
    scripted(nas, files, "mine")
    shipped = (CONTENT / PRODUCTION / VARIABLES).read_text()
    foreign = yaml.safe_load(shipped)["loop_public_url"]
    assert (Path("mine") / VARIABLES).read_text() == shipped.replace(foreign, PUBLIC)


@pytest.mark.parametrize("url", [PUBLIC, "https://nas.lan:8443", "https://[fd00::1]:8443", "https://127.0.0.1:4430"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 1\nloop_public_url: https://x\nb: 2\n", "a: 1\nloop_public_url: {}\nb: 2\n"),
        ("loop_public_url: >-\n  https://\n  x\n# of b\nb: 2", "loop_public_url: {}\n# of b\nb: 2"),
        ("loop_public_url: https://x", "loop_public_url: {}\n"),
        ("a: 1", "a: 1\nloop_public_url: {}\n"),
    ],
)
def test_public_url_comes_in_place_of_the_one_of_a_clone(
    nas: FakeNas, files: dict[str, str], url: str, before: str, after: str
) -> None:
    """Where nobody filled the inventory in, its variables are somebody else's; the others stay."""
    (PRODUCTION / VARIABLES).parent.mkdir(parents=True)
    (PRODUCTION / VARIABLES).write_text(before)
    (PRODUCTION / "hosts.yml").write_text((CONTENT / PRODUCTION / "hosts.yml").read_text())
    assert scripted(nas, files, f"--public-url={url}").exit_code == 0
    assert (PRODUCTION / VARIABLES).read_text() == after.format(url)
    assert yaml.safe_load((PRODUCTION / VARIABLES).read_text())["loop_public_url"] == url


def test_vault_is_its_owner_s_alone_whatever_the_umask(nas: FakeNas, files: dict[str, str]) -> None:
    """Encrypted, and not to be tried by others."""
    mask = os.umask(0)
    scripted(nas, files)
    os.umask(mask)
    vault = PRODUCTION / "group_vars" / "loop" / "vault.yml"
    assert vault.stat().st_mode & 0o777 == 0o600
    assert (PRODUCTION / "hosts.yml").stat().st_mode & 0o777 == 0o644


def test_no_file_has_a_secret_in_clear(nas: FakeNas, files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for a moment: whatever is written is looked at."""
    written: list[bytes] = []
    replace = os.replace

    def look(source: str, destination: Path) -> None:
        written.append(Path(source).read_bytes())
        replace(source, destination)

    monkeypatch.setattr("os.replace", look)
    scripted(nas, files)
    assert len(written) == 4
    assert not [secret for secret in SECRETS for text in [*written, *snapshot().values()] if secret.encode() in text]


def test_blank_behind_the_vault_password_is_none_of_it(nas: FakeNas, files: dict[str, str]) -> None:
    """Ansible would strip it, and never open what it closed."""
    Path(files["vault-password"]).write_text(f" {VAULT} \n")
    assert scripted(nas, files).exit_code == 0
    assert variables()["vault_ssh_password"] == SSH


def test_api_keys_come_out_of_an_old_env(nas: FakeNas, files: dict[str, str]) -> None:
    """Which key was found is told."""
    Path(".env").write_text("export OPENAI_API_KEY='sk-old' # ours\n")
    for name in ("openai-api-key", "anthropic-api-key"):
        del files[name]
    result = scripted(nas, files, "--from-env-file=.env")
    assert result.exit_code == 0
    assert "OPENAI_API_KEY comes from .env\nANTHROPIC_API_KEY is not in .env\n" in result.output
    assert "sk-old" not in result.output
    assert (variables()["vault_openai_api_key"], variables()["vault_anthropic_api_key"]) == ("sk-old", "")


def test_key_s_own_file_comes_before_the_old_env(nas: FakeNas, files: dict[str, str]) -> None:
    """Whoever names one key means it; which one was taken is told."""
    Path(".env").write_text("OPENAI_API_KEY=sk-old\nANTHROPIC_API_KEY=sk-older\n")
    own = files["openai-api-key"]
    del files["anthropic-api-key"]
    result = scripted(nas, files, "--from-env-file=.env")
    assert f"OPENAI_API_KEY comes from {own}, and not from .env\nANTHROPIC_API_KEY comes from .env\n" in result.output
    assert (variables()["vault_openai_api_key"], variables()["vault_anthropic_api_key"]) == (OPENAI, "sk-older")


@pytest.mark.parametrize(
    ("option", "stdin"),
    [("vault-password", f"{VAULT}\n"), ("ssh-password", f"{SSH}\n"), ("openai-api-key", f"{OPENAI}\n")],
)
def test_any_secret_comes_from_standard_input(nas: FakeNas, files: dict[str, str], option: str, stdin: str) -> None:
    """`-` means the same in each option, as the README says."""
    given = [f"--{name}-file={'-' if name == option else file}" for name, file in files.items()]
    result = init(*where(nas), *given, stdin=stdin)
    assert result.exit_code == 0, result.output
    assert (variables()["vault_ssh_password"], variables()["vault_openai_api_key"]) == (SSH, OPENAI)


def test_old_env_comes_from_standard_input(nas: FakeNas, files: dict[str, str]) -> None:
    """Out of a NAS by ssh, for example."""
    del files["openai-api-key"]
    given = [f"--{name}-file={file}" for name, file in files.items()]
    result = init(*where(nas), *given, "--from-env-file=-", stdin="A=b\nOPENAI_API_KEY=sk-old\n")
    assert result.exit_code == 0, result.output
    assert variables()["vault_openai_api_key"] == "sk-old"


@pytest.mark.parametrize("second", ["--vault-password-file=-", "--from-env-file=-", "--sudo-password-file=-"])
def test_standard_input_is_for_one_option(nas: FakeNas, files: dict[str, str], second: str) -> None:
    """The second one would find nothing there."""
    result = scripted(nas, files, "--ssh-password-file=-", second)
    assert (result.exit_code, snapshot()) == (2, {})
    assert "Only one option" in result.output


def test_password_comes_from_standard_input(nas: FakeNas, files: dict[str, str]) -> None:
    """A script need not write it into a file; sudo has the same one, and a key may be missing."""
    result = init(
        *where(nas),
        "--ssh-password-file=-",
        f"--vault-password-file={files['vault-password']}",
        stdin=f"{SSH}\n",
    )
    assert result.exit_code == 0, result.output
    assert variables() == {
        "vault_ssh_password": SSH,
        "vault_sudo_password": SSH,
        "vault_openai_api_key": "",
        "vault_anthropic_api_key": "",
    }
