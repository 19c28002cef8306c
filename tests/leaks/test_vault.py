"""`loopdeploy vault`: the secrets in it are shown where the operator asks for that, and are nowhere else."""

from __future__ import annotations

import pytest

from tests.lab.conftest import ROOT
from tests.leaks.allowed import IN_THE_VAULT
from tests.leaks.allowed import in_the_editor
from tests.leaks.operator_keyring import VARIABLE
from tests.leaks.scene import NO_KEYRING
from tests.leaks.scene import Scene
from tests.leaks.terminal import Terminal

NAME = "vault_openai_api_key"
# Longer than the sampler's beat, and a change.
EDITOR = '#!/bin/sh\nsleep 0.2\necho "# edited" >> "$1"\n'


def keyring(scene: Scene) -> dict[str, str]:
    """Return the environment in which there is a keyring."""
    kept = str(scene.own / "vault-keyring")
    backend = "tests.leaks.operator_keyring.OperatorKeyring"
    return {"PYTHON_KEYRING_BACKEND": backend, "PYTHONPATH": str(ROOT), VARIABLE: kept}


def test_view_shows_the_vault_and_no_more(scene: Scene) -> None:
    """What is in it is what was asked for; its password is not, and no file or process has any of it."""
    with scene.watched() as watch:
        result = watch.keep(scene.loopdeploy("-vvvvv", "vault", "view"), shows=IN_THE_VAULT)
    assert result.returncode == 0, result.stderr
    assert all(getattr(scene.secrets, name) in result.stdout for name in IN_THE_VAULT)
    assert watch.leaks == []


def test_set_leaks_nothing(scene: Scene) -> None:
    """Neither out of a pipe nor typed."""
    with scene.watched() as watch:
        piped = watch.keep(scene.loopdeploy("vault", "set", NAME, stdin=f"{scene.secrets.openai}\n"))
        terminal = Terminal("-i", str(scene.inventory), "vault", "set", NAME, environment=NO_KEYRING)
        terminal.answer("Vault password: ", scene.secrets.vault)
        terminal.answer(f"New value of {NAME}: ", scene.secrets.openai)
        terminal.answer(f"New value of {NAME}, again: ", scene.secrets.openai)
        typed = watch.keep(terminal.ends())
        refused = watch.keep(scene.loopdeploy("vault", "set", NAME, stdin=f"{scene.secrets.openai}\nmore\n"))
    assert (piped.returncode, typed.returncode, refused.returncode) == (0, 0, 2)
    assert watch.leaks == []


@pytest.mark.parametrize("program", ["edits", "fails", "is cancelled"])
def test_edit_leaks_nothing(scene: Scene, program: str) -> None:
    """The editor has a file in memory while it runs, and nothing else ever has."""
    script = scene.directory / "editor"
    script.write_text(
        EDITOR + {"edits": "", "fails": "exit 1\n", "is cancelled": "echo editing\nexec sleep 60\n"}[program]
    )
    script.chmod(0o755)
    with scene.watched(but=in_the_editor) as watch:
        environment = {**NO_KEYRING, "EDITOR": str(script), "VISUAL": ""}
        terminal = Terminal("-i", str(scene.inventory), "vault", "edit", environment=environment)
        terminal.answer("Vault password: ", scene.secrets.vault)
        if program == "is cancelled":
            terminal.interrupt("editing")
        result = watch.keep(terminal.ends())
    assert result.returncode == {"edits": 0, "fails": 2, "is cancelled": 130}[program], result.stdout
    assert {name for name, place in watch.allowed if in_the_editor(name, place)} == set(IN_THE_VAULT)
    assert watch.leaks == []


def test_rekey_leaks_nothing(scene: Scene) -> None:
    """By its option, and typed; the old password counts again in the end."""
    whole, text = scene.vault.read_bytes(), f"new-{scene.secrets.vault}"
    new = scene.kept("vault", "new", text=text)
    try:
        with scene.watched() as watch:
            given = watch.keep(scene.loopdeploy("vault", "rekey", "--new-vault-password-file", new))
            opened = scene.loopdeploy("--vault-password-file", new, "vault", "view")
            terminal = Terminal("-i", str(scene.inventory), "vault", "rekey", environment=NO_KEYRING)
            terminal.answer("Vault password: ", text)
            terminal.answer("New vault password: ", scene.secrets.vault)
            terminal.answer("New vault password, again: ", scene.secrets.vault)
            typed = watch.keep(terminal.ends())
        reopened = scene.loopdeploy("vault", "view")
    finally:
        scene.vault.write_bytes(whole)
    assert [result.returncode for result in (given, opened, typed, reopened)] == [0, 0, 0, 0]
    assert watch.leaks == []


def test_the_keyring_alone_has_the_vault_password(scene: Scene) -> None:
    """It is remembered, opens the vault for a verb, and is forgotten."""
    alone = ("-i", str(scene.inventory), "--vault-password-file", "")
    environment = keyring(scene)
    with scene.watched() as watch:
        steps = [
            scene.loopdeploy("vault", "remember", environment=environment),
            scene.loopdeploy(*alone, "vault", "remember", stdin=f"{scene.secrets.vault}\n", environment=environment),
            scene.loopdeploy(*alone, "status", "-vvvvv", environment=environment),
            scene.loopdeploy(*alone, "vault", "forget", environment=environment),
            scene.loopdeploy(*alone, "status", "-vvvvv", environment=environment),
        ]
        codes = [watch.keep(step).returncode for step in steps]
    # Nobody can be asked in the end.
    assert codes == [0, 0, 0, 0, 2]
    assert watch.leaks == []
