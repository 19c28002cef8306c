"""What ssh is told by the inventory that `init` writes: by Ansible, with ssh's own reading of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loopdeploy.content import CONTENT
from tests.unit.fake_nas import FakeNas
from tests.unit.test_init import files as files
from tests.unit.test_init import nas as nas
from tests.unit.test_init import scripted
from tests.unit.test_init import snapshot

# Instead of a login, ssh shows how it understood its arguments.
SSH = """#!/bin/sh
[ "$1" != -G ] || exec /usr/bin/ssh -F none "$@"
/usr/bin/ssh -G -F none "$@" >{directory}/shown
exit 255
"""


@pytest.fixture
def told(nas: FakeNas, files: dict[str, str]) -> list[str]:
    """Put the ssh into its place that shows what it is told."""
    file = nas.directory / "bin" / "ssh"
    file.write_text(SSH.format(directory=nas.directory))
    file.chmod(0o755)
    return ["--vault-password-file", files["vault-password"]]


def shown(nas: FakeNas, vault: list[str], directory: Path, *arguments: str) -> list[str]:
    """Return how ssh understands what Ansible calls it with, for the inventory in ``directory``."""
    ansible = str(Path(sys.executable).with_name("ansible"))
    command = [ansible, "nas", "-i", str(directory), *vault, "-m", "raw", "-a", "true", *arguments]
    env = {**os.environ, "HOME": str(nas.directory), "ANSIBLE_CONFIG": str(CONTENT / "ansible.cfg")}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert (nas.directory / "shown").exists(), done.stdout + done.stderr
    return (nas.directory / "shown").read_text().splitlines()


@pytest.mark.parametrize("named", [[], ["/here/key"]])
def test_only_the_pinned_host_key_and_named_keys_count(
    nas: FakeNas, files: dict[str, str], told: list[str], named: list[str]
) -> None:
    """Neither the host keys of /etc/ssh nor the keys that ssh offers by itself; the key of `bootstrap` is named."""
    scripted(nas, files, "a directory")
    keys = [argument for key in named for argument in ("-e", f"ansible_ssh_private_key_file={key}")]
    lines = shown(nas, told, Path("a directory"), *keys)
    assert f"userknownhostsfile {Path('a directory').resolve()}/known_hosts.txt" in lines
    assert {"globalknownhostsfile /dev/null", "stricthostkeychecking true", "updatehostkeys false"} <= set(lines)
    assert [line for line in lines if line.startswith("identityfile ")] == [
        *(f"identityfile {key}" for key in named),
        "identityfile none",
    ]


@pytest.mark.parametrize("name", ["w o'b", "50%h", "it's 'mine', #1; ~x"])
def test_pinned_host_key_is_found_below_any_directory(
    nas: FakeNas, files: dict[str, str], told: list[str], name: str
) -> None:
    """An apostrophe would end an argument, and ssh takes a `%` for something of its own."""
    assert scripted(nas, files, name).exit_code == 0
    assert f"userknownhostsfile {Path(name).resolve()}/known_hosts.txt" in shown(nas, told, Path(name))


@pytest.mark.parametrize("name", ['a"b', "a\\b", "${HOME}", "$HOME"])
def test_directory_that_could_not_be_read_is_refused(nas: FakeNas, files: dict[str, str], name: str) -> None:
    """Before anything is asked: the host key that is pinned there would not count."""
    result = scripted(nas, files, name)
    assert (result.exit_code, snapshot()) == (2, {})
    assert f'{Path(name).resolve()}: choose a directory without ", \\ or $ in its path.' in result.output


@pytest.mark.parametrize("login", ["Jörg", "ann marie", "AD\\kim", "ann@ad.example.org", "a.b_c-d$"])
def test_any_login_of_a_nas_reaches_ssh_as_it_is(
    nas: FakeNas, files: dict[str, str], told: list[str], login: str
) -> None:
    """DSM takes many characters, and logins of a domain."""
    assert scripted(nas, files, f"--login={login}").exit_code == 0
    assert f"user {login}" in shown(nas, told, Path("inventory", "production"))
