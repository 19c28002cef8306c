"""Logins, host keys and vaults that are refused: the wrong secret and the right ones are shown nowhere."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest

from tests.leaks.scene import NO_KEYRING
from tests.leaks.scene import Scene
from tests.leaks.test_verbs import CHECKED
from tests.leaks.test_verbs import VERBOSITIES
from tests.leaks.test_verbs import VERBS
from tests.leaks.watch import Watch

Variables = dict[str, object]
# Where a login without the right to use sudo is, while it is needed.
NO_SUDO = "nosudo"
# A file that would be read only behind a vault that opens.
NEW = "/dev/null"


def a_wrong_ssh_password(scene: Scene) -> Variables:
    """Close to the right one, as a typing error is."""
    return {"vault_ssh_password": f"wrong-{scene.secrets.ssh}"}


def a_wrong_sudo_password(scene: Scene) -> Variables:
    """The login works, sudo does not."""
    return {"vault_sudo_password": f"wrong-{scene.secrets.sudo}"}


def an_unknown_host_key(scene: Scene) -> Variables:
    """Nobody pinned it."""
    return {"ansible_ssh_common_args": "-o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null"}


def a_changed_host_key(scene: Scene) -> Variables:
    """Another machine answers at the NAS's address."""
    key, known_hosts = scene.directory / "other-key", scene.directory / "known_hosts"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    public = Path(f"{key}.pub").read_text()
    known_hosts.write_text(f"[127.0.0.1]:* {public}127.0.0.1 {public}")
    return {"ansible_ssh_common_args": f"-o UserKnownHostsFile={known_hosts}"}


def nobody_who_answers(scene: Scene) -> Variables:
    """Nothing listens there."""
    return {"ansible_port": 9}


def a_user_without_sudo(scene: Scene) -> Variables:
    """Logs in, and is no administrator."""
    scene.nas.run("useradd", "--create-home", NO_SUDO)
    scene.nas.run("chpasswd", stdin=f"{NO_SUDO}:{scene.secrets.ssh}\n")
    return {"ansible_user": NO_SUDO}


def an_expired_password(scene: Scene) -> Variables:
    """The NAS wants another one first."""
    scene.nas.run("chage", "--lastday", "0", "loopadmin")
    return {}


REFUSED = (
    a_wrong_ssh_password, a_wrong_sudo_password, an_unknown_host_key, a_changed_host_key, nobody_who_answers,
    a_user_without_sudo, an_expired_password,
)  # fmt: skip


def ask(scene: Scene, watch: Watch, code: int, *options: str | Path, some: int = 0) -> None:
    """Run every verb, each of which must end with ``code``.

    In check mode only each seventh from ``some`` on, as there are so many refusals of a login, which take seconds each.
    """
    checked = list(zip(CHECKED, cycle(VERBOSITIES), strict=False))[some::7]
    said = [(verb, "--diff -vvvvv") for verb in VERBS]
    said += [(verb, f"--check --diff {verbosity}") for verb, verbosity in checked]
    for verb, more in said:
        result = watch.keep(scene.loopdeploy(*options, *verb.split(), *more.split(), environment=NO_KEYRING))
        assert result.returncode == code, f"{verb} {more}: {result.stderr[-2000:]}"


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.__name__)
def test_a_login_that_is_refused_leaks_nothing(scene: Scene, refused: Callable[[Scene], Variables]) -> None:
    """Each verb logs in and asks for root by itself, with the right secrets of the others in use."""
    try:
        with scene.variables(**refused(scene)), scene.watched() as watch:
            ask(scene, watch, 3, some=REFUSED.index(refused))
    finally:
        scene.nas.run("userdel", "--remove", NO_SUDO, check=False)
        scene.nas.run("chage", "--lastday", "-1", "loopadmin")
    assert watch.leaks == []


def tampered(vault: bytes) -> bytes:
    """Change the last character of what is encrypted, a digit, to another one; two digits stand for it."""
    text = vault.rstrip()
    return text[:-2] + (b"30" if text[-2:] != b"30" else b"31") + b"\n"


def cut_off(vault: bytes) -> bytes:
    """Return the beginning of a vault."""
    return vault[:200]


def ask_the_vault(scene: Scene, watch: Watch, *options: str | Path) -> None:
    """Run all that opens the vault, which must be refused."""
    ask(scene, watch, 2, *options)
    for argv in (("view",), ("edit",), ("set", "vault_openai_api_key"), ("rekey", "--new-vault-password-file", NEW)):
        verb = scene.loopdeploy(*options, "-vvvvv", "vault", *argv, environment={**NO_KEYRING, "EDITOR": "true"})
        assert watch.keep(verb).returncode == 2, f"{argv}: {verb.stderr[-2000:]}"


@pytest.mark.parametrize("spoil", [tampered, cut_off], ids=lambda spoil: spoil.__name__)
def test_a_vault_that_is_damaged_leaks_nothing(scene: Scene, spoil: Callable[[bytes], bytes]) -> None:
    """Nothing of what is in it is known, and its password is."""
    whole = scene.vault.read_bytes()
    scene.vault.write_bytes(spoil(whole))
    try:
        with scene.watched() as watch:
            ask_the_vault(scene, watch)
    finally:
        scene.vault.write_bytes(whole)
    assert watch.leaks == []


def test_a_wrong_vault_password_leaks_nothing(scene: Scene) -> None:
    """It is a secret of something else."""
    wrong = scene.kept("vault", "wrong", text=f"wrong-{scene.secrets.vault}")
    with scene.watched() as watch:
        ask_the_vault(scene, watch, "--vault-password-file", wrong)
    assert watch.leaks == []


def test_nobody_to_ask_leaks_nothing(scene: Scene) -> None:
    """A pipeline without a vault password ends at once."""
    with scene.watched() as watch:
        # An empty name is none.
        ask_the_vault(scene, watch, "--vault-password-file", "")
    assert watch.leaks == []
