"""A new inventory, by a script's options and on a terminal, and the key that `bootstrap` makes for it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.bare import HOME
from tests.lab.conftest import lab_ports
from tests.leaks.scene import NO_KEYRING
from tests.leaks.scene import Scene
from tests.leaks.terminal import Terminal


@pytest.fixture
def new(scene: Scene) -> Iterator[Path]:
    """Return where a new inventory is to be; it, and what `bootstrap` did with it, is gone afterwards."""
    scene.home.mkdir()
    yield scene.directory / "new"
    scene.log_out()
    for directory in (scene.directory / "new", scene.home):
        shutil.rmtree(directory, ignore_errors=True)
    scene.nas.run("rm", "-rf", f"{HOME}/.ssh")
    scene.nas.run("chmod", "0777", HOME)


def where(scene: Scene) -> list[str]:
    """Return the options that are no secrets."""
    fingerprint = scene.nas.run("ssh-keygen", "-lf", "/etc/ssh/ssh_host_ed25519_key.pub").split()[1]
    address = ["--address", "127.0.0.1", "--port", str(lab_ports()["ssh"]), "--login", "loopadmin"]
    public = ["--public-url", f"https://127.0.0.1:{lab_ports()['https']}"]
    return [*address, *public, "--host-key-fingerprint", fingerprint]


def files(scene: Scene) -> list[str]:
    """Return the options that give secrets, but for the API keys."""
    return ["--ssh-password-file", str(scene.kept("ssh")), "--sudo-password-file", str(scene.kept("sudo"))]


def test_a_script_leaks_nothing(scene: Scene, new: Path) -> None:
    """Each key by standard input and by a file, or both out of an `.env`; and what is refused."""
    keys = f"OPENAI_API_KEY={scene.secrets.openai}\nexport ANTHROPIC_API_KEY='{scene.secrets.anthropic}'"
    env_file = str(scene.kept("openai", "anthropic", text=keys))
    broken = str(scene.kept("openai", "broken", text=f"OPENAI_API_KEY='{scene.secrets.openai}"))
    api_keys = ["--openai-api-key-file", "-", "--anthropic-api-key-file", str(scene.kept("anthropic"))]
    told = ["-vvvvv", "init", str(new), *where(scene), *files(scene)]
    with scene.watched() as watch:
        steps = [
            scene.loopdeploy(*told, "--from-env-file", broken),
            scene.loopdeploy(*told, *api_keys, stdin=f"{scene.secrets.openai}\nmore\n"),
            scene.loopdeploy(*told, *api_keys, stdin=f"{scene.secrets.openai}\n"),
            scene.loopdeploy(*told, "--from-env-file", env_file),
            scene.loopdeploy(*told, "--from-env-file", env_file, "--replace"),
        ]
        codes = [watch.keep(step).returncode for step in steps]
    assert codes == [2, 2, 0, 2, 0]
    assert watch.leaks == []


@pytest.mark.parametrize("cancelled", [False, True], ids=["done", "cancelled"])
def test_a_terminal_shows_nothing(scene: Scene, new: Path, cancelled: bool) -> None:
    """Whatever is typed there, and where it ends with Ctrl-C."""
    with scene.watched() as watch:
        terminal = Terminal("init", str(new), *where(scene), environment=NO_KEYRING)
        terminal.answer("Password of the login: ", scene.secrets.ssh)
        terminal.answer("Password for sudo [the same]: ", scene.secrets.sudo)
        terminal.answer("OpenAI API key [the one in .env on the NAS]: ", scene.secrets.openai)
        terminal.answer("Anthropic API key [the one in .env on the NAS]: ", scene.secrets.anthropic)
        terminal.answer("New vault password: ", scene.secrets.vault)
        if cancelled:
            terminal.interrupt("New vault password, again: ")
        else:
            terminal.answer("New vault password, again: ", scene.secrets.vault)
        result = watch.keep(terminal.ends())
    assert result.returncode == (130 if cancelled else 0), result.stdout
    assert new.exists() != cancelled
    assert watch.leaks == []


def test_a_key_that_is_made_leaks_nothing(scene: Scene, new: Path) -> None:
    """`bootstrap` logs in with the password, and from then on the key, which is a secret too, does."""
    environment = {"HOME": str(scene.home)}
    made = scene.loopdeploy("init", str(new), *where(scene), *files(scene), environment=environment)
    assert made.returncode == 0, made.stderr
    key = scene.home / ".ssh" / "loopdeploy_127.0.0.1"
    with scene.watched(but=lambda name, place: (name, place) == ("key", f"file: {key}")) as watch:
        bootstrap = scene.loopdeploy("-i", str(new), "bootstrap", "--diff", "-vvvvv", environment=environment)
        assert bootstrap.returncode == 0, bootstrap.stderr[-2000:]
        # The line with the private number; those before it have the public one.
        watch.spellings[key.read_text().splitlines()[4]] = "key"
        scene.log_out()
        status = scene.loopdeploy("-i", str(new), "status", "-vvvvv", environment=environment)
        codes = [watch.keep(result).returncode for result in (bootstrap, status)]
    assert codes == [0, 0]
    assert ("key", f"file: {key}") in watch.allowed
    assert watch.leaks == []
