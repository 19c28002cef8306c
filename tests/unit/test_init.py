"""A new NAS in an inventory of its own, asked on a terminal or given by a script."""

from __future__ import annotations

import os
import shlex
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


def test_replace_puts_a_new_vault_in_place_of_anything(nas: FakeNas, files: dict[str, str]) -> None:
    """Of one that is damaged, too."""
    vault = PRODUCTION / "group_vars" / "loop" / "vault.yml"
    vault.parent.mkdir(parents=True)
    for content in ("no vault", "$ANSIBLE_VAULT;1.2", ""):
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


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("--address", "Address of the NAS is needed and there is no terminal to ask on: give --address."),
        ("--login", "Login is needed and there is no terminal to ask on: give --login."),
        ("--public-url", "Public URL of the services (https://NAME) is needed and there is no terminal"),
        ("--host-key-fingerprint", "The host key of nas.lan must be compared and there is no terminal"),
        ("--ssh-password-file", "Password of the login is needed and there is no terminal to ask on: give --ssh-p"),
        ("--vault-password-file", "New vault password is needed and there is no terminal to ask on: give --vault-p"),
    ],
)
def test_script_that_lacks_an_answer_gets_a_sentence(
    nas: FakeNas, files: dict[str, str], missing: str, sentence: str
) -> None:
    """Never a prompt, and nothing is written."""
    given = [f"--{name}-file={file}" for name, file in files.items()]
    result = init(*(argument for argument in [*where(nas), *given] if not argument.startswith(f"{missing}=")))
    assert (result.exit_code, snapshot()) == (2, {})
    assert result.output.startswith(f"Error: {sentence}")


@pytest.mark.parametrize(
    ("argument", "code", "sentence"),
    [
        ("--host-key-fingerprint=SHA256:no", 2, "and not SHA256:no"),
        ("--address=elsewhere", 3, "The host name elsewhere is unknown"),
        ("--address=-oProxyCommand=x", 2, "is neither an address nor a login: correct --address"),
        ("--login={{ x }}", 2, "is neither an address nor a login: correct --login"),
        ("--port=0", 2, "--port"),
        *[
            (f"--public-url={url}", 2, "is no public URL: give --public-url https:// and a name in small letters")
            for url in (
                *(
                    "http://nas.lan",
                    "https://nas.lan/",
                    "https://nas.lan/mcp",
                    "https://nas.lan:443",
                    "https://NAS.lan",
                ),
                *(
                    "https://",
                    "nas.lan",
                    "https://nas.lan?",
                    "https://a@nas.lan",
                    "https://{{ x }}",
                    "https://nas.lan:0",
                ),
            )
        ],
        ("--ssh-password-file=nowhere", 2, "The file nowhere cannot be read: mend --ssh-password-file."),
        ("--vault-password-file=nowhere", 2, "There is no vault password file nowhere"),
        ("--from-env-file=nowhere", 2, "The file nowhere cannot be read: mend --from-env-file."),
        ("--from-env-file=latin.env", 2, "The file latin.env cannot be read: mend --from-env-file."),
        ("--from-env-file=open.env", 2, "the quote in the line of OPENAI_API_KEY is not closed"),
        ("--openai-api-key-file=open.env", 2, "is not one line with a secret"),
        ("open.env", 2, "open.env is a file"),
    ],
)
def test_wrong_answer_writes_nothing(
    nas: FakeNas, files: dict[str, str], argument: str, code: int, sentence: str
) -> None:
    """One sentence says what to mend."""
    Path("open.env").write_text("A=b\nOPENAI_API_KEY='sk")
    Path("latin.env").write_bytes(b"A=\xfc")
    result = scripted(nas, files, argument)
    assert result.exit_code == code
    assert sentence in result.output
    assert set(snapshot()) == {Path("open.env"), Path("latin.env")}


@pytest.mark.parametrize(
    ("directory", "reason"),
    [("open.env/inv", "Not a directory"), ("/proc/inv", "")],
)
def test_place_that_cannot_be_written_is_told_before_anything_is_asked(
    files: dict[str, str], directory: str, reason: str
) -> None:
    """Whoever has typed five secrets does not want to do it again."""
    Path("open.env").write_text("")
    result = init(directory)
    assert (result.exit_code, list(snapshot())) == (2, [Path("open.env")])
    assert result.output.startswith(f"Error: Nothing can be written into {directory}: {reason}")


def test_looking_whether_it_can_be_written_leaves_nothing() -> None:
    """Whoever gives up at the first question has no empty inventory."""
    assert "Address of the NAS is needed" in init("some/where").output
    assert list(Path().iterdir()) == []


def test_hosts_file_that_is_no_text_is_not_overwritten(nas: FakeNas, files: dict[str, str]) -> None:
    """It is not the blank one of a clone, and --replace is the way out."""
    PRODUCTION.mkdir(parents=True)
    (PRODUCTION / "hosts.yml").write_bytes(b"# M\xfcller\n")
    result = scripted(nas, files)
    assert (result.exit_code, snapshot()) == (2, {PRODUCTION / "hosts.yml": b"# M\xfcller\n"})
    assert "already has hosts.yml" in result.output
    assert scripted(nas, files, "--replace").exit_code == 0


def test_file_that_cannot_be_used_is_named(nas: FakeNas, files: dict[str, str]) -> None:
    """One sentence, of whatever the system refuses."""
    (PRODUCTION / "hosts.yml").mkdir(parents=True)
    result = scripted(nas, files)
    assert result.exit_code == 2
    assert result.output.startswith("Error: inventory/production/hosts.yml cannot be used: Is a directory")


@pytest.mark.parametrize(
    ("option", "directory"),
    [("other", "inventory/other"), ("./x/y", "x/y"), ("./x", "x"), ("my nas", "inventory/my nas")],
)
def test_inventory_is_written_where_the_other_verbs_look(
    nas: FakeNas, files: dict[str, str], option: str, directory: str
) -> None:
    """-i means the same before and behind init, and the next step is named so that it can be copied."""
    result = scripted(nas, files, "-i", option)
    assert host(Path(directory))["ansible_user"] == "ann"
    named = shlex.quote(option.removeprefix("./"))
    assert f"go on with `loopdeploy -i {named} bootstrap`." in result.output
    assert f"with `loopdeploy -i {named} vault set NAME`" in scripted(nas, files, "-i", option).output


def test_lab_needs_no_init(nas: FakeNas, files: dict[str, str]) -> None:
    """Its inventory comes with loopdeploy."""
    assert scripted(nas, files, "-i", "lab").exit_code == 2


def test_check_is_refused(nas: FakeNas, files: dict[str, str]) -> None:
    """Rather than ignored."""
    result = CliRunner().invoke(main, ["--check", "init"])
    assert (result.exit_code, snapshot()) == (2, {})


def test_host_key_is_pinned_anew_when_asked(nas: FakeNas, files: dict[str, str]) -> None:
    """After the NAS was set up again; nothing else is written."""
    scripted(nas, files)
    before = snapshot()
    result = init("--pin", f"--host-key-fingerprint={nas.new_key('ed25519')}")
    assert result.exit_code == 0, result.output
    changed = {file for file, content in snapshot().items() if before[file] != content}
    assert changed == {PRODUCTION / "known_hosts.txt"}
    assert (PRODUCTION / "known_hosts.txt").read_text() == nas.pinned("ed25519")


def test_pin_needs_an_inventory(nas: FakeNas) -> None:
    """There is no address to ask."""
    result = init("--pin", f"--host-key-fingerprint={nas.new_key('ed25519')}")
    assert (result.exit_code, snapshot()) == (2, {})
    assert "make it with `loopdeploy init`" in result.output


def test_inventory_filled_in_by_hand_can_be_pinned(nas: FakeNas) -> None:
    """That of a clone; ssh then takes the pinned key alone."""
    PRODUCTION.mkdir(parents=True)
    blank = (CONTENT / "inventory" / "production" / "hosts.yml").read_text()
    (PRODUCTION / "hosts.yml").write_text(blank.replace("fill-in-the-address.invalid", "nas.lan"))
    result = init("--pin", f"--host-key-fingerprint={nas.new_key('ed25519')}")
    assert result.exit_code == 0, result.output
    assert (PRODUCTION / "known_hosts.txt").read_text() == nas.pinned("ed25519")


def test_clone_s_inventory_says_what_init_writes(nas: FakeNas, files: dict[str, str]) -> None:
    """Of ssh the same, so that it does not matter who filled it in."""
    scripted(nas, files)
    blank = yaml.safe_load((CONTENT / "inventory" / "production" / "hosts.yml").read_text())["loop"]["hosts"]["nas"]
    assert blank["ansible_ssh_common_args"] == host()["ansible_ssh_common_args"]


def test_pin_that_would_not_count_is_refused(nas: FakeNas) -> None:
    """Another file of host keys is read; nothing is written."""
    PRODUCTION.mkdir(parents=True)
    (PRODUCTION / "hosts.yml").write_text("loop: {hosts: {nas: {ansible_host: nas.lan}}}\n")
    result = init("--pin", f"--host-key-fingerprint={nas.new_key('ed25519')}")
    assert result.exit_code == 2
    assert "does not let ssh read known_hosts.txt" in result.output
    assert list(snapshot()) == [PRODUCTION / "hosts.yml"]


@pytest.mark.parametrize("named", [[], ["/here/key"]])
def test_only_the_pinned_host_key_and_named_keys_count(nas: FakeNas, files: dict[str, str], named: list[str]) -> None:
    """Neither the host keys of /etc/ssh nor the keys that ssh offers by itself; the key of `bootstrap` is named."""
    scripted(nas, files, "a directory")
    text = str(host(Path("a directory"))["ansible_ssh_common_args"]).replace("{{ inventory_dir }}", "/a directory")
    keys = [argument for key in named for argument in ("-o", f'IdentityFile="{key}"')]
    shown = subprocess.run(
        ["ssh", "-G", "-F", "none", *keys, *shlex.split(text), "nas.lan"], capture_output=True, text=True, check=True
    )
    lines = shown.stdout.splitlines()
    assert "userknownhostsfile /a directory/known_hosts.txt" in lines
    assert {"globalknownhostsfile /dev/null", "stricthostkeychecking true", "updatehostkeys false"} <= set(lines)
    assert [line for line in lines if line.startswith("identityfile ")] == [
        *(f"identityfile {key}" for key in named),
        "identityfile none",
    ]
