"""What `init` does not take, and says so before it writes or asks for more."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from loopdeploy.cli import main
from tests.unit.fake_nas import FakeNas
from tests.unit.test_init import PRODUCTION
from tests.unit.test_init import files as files
from tests.unit.test_init import host
from tests.unit.test_init import init
from tests.unit.test_init import nas as nas
from tests.unit.test_init import scripted
from tests.unit.test_init import snapshot
from tests.unit.test_init import where


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
        *[
            (f"--address={address}", 2, f"'{address}' is neither a host name nor an IP address: correct --address.")
            for address in ("-oProxyCommand=x", "ann@nas", "[::1", "a nas", "{{ x }}", "nas/")
        ],
        *[
            (f"--login={login}", 2, f"{login!r} cannot be a login: correct --login, which begins with neither")
            for login in (
                "-l",
                " ann",
                "ann ",
                "{{ x }}",
                "an'n",
                'an"n',
                "50%",
                "ann\\",
                "a\\\\b",
                "a\nb",
                "J\udcf6rg",
                "[::1]",
                "a;b",
                "a|b",
                "`id`",
                "a(b)",
            )
        ],
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
        ("--from-env-file=latin.env", 2, "The file latin.env is not in UTF-8: convert it, and mend --from-env-file."),
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
