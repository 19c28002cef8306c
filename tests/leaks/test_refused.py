"""Logins, host keys and vaults that are refused: the wrong secret and the right ones are shown nowhere."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.leaks.scene import NO_KEYRING
from tests.leaks.scene import Scene
from tests.leaks.test_verbs import QUIETER
from tests.leaks.test_verbs import VERBS

Variables = dict[str, object]
# Where a login without the right to use sudo is, while it is needed.
NO_SUDO = "nosudo"


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


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.__name__)
def test_a_login_that_is_refused_leaks_nothing(scene: Scene, refused: Callable[[Scene], Variables]) -> None:
    """The right secrets of the others are in use."""
    try:
        with scene.variables(**refused(scene)), scene.watched() as watch:
            result = watch.keep(scene.loopdeploy("rebuild", "--force", "--diff", "-vvvvv"))
    finally:
        scene.nas.run("userdel", "--remove", NO_SUDO, check=False)
        scene.nas.run("chage", "--lastday", "-1", "loopadmin")
    assert result.returncode == 3, result.stderr[-2000:]
    assert watch.leaks == []


def test_a_sudo_password_that_is_refused_leaks_nothing_at_any_verb(scene: Scene) -> None:
    """Each verb logs in and asks for root by itself, in other words at another verbosity."""
    with scene.variables(**a_wrong_sudo_password(scene)), scene.watched() as watch:
        for verb in (*VERBS, *QUIETER):
            result = watch.keep(scene.loopdeploy(*verb.split(), *([] if " -v" in verb else ["--diff", "-vvvvv"])))
            assert result.returncode == 3, f"{verb}: {result.stderr[-2000:]}"
    assert watch.leaks == []


def tampered(vault: bytes) -> bytes:
    """Change the last character of what is encrypted, a digit, to another one; two digits stand for it."""
    text = vault.rstrip()
    return text[:-2] + (b"30" if text[-2:] != b"30" else b"31") + b"\n"


def cut_off(vault: bytes) -> bytes:
    """Return the beginning of a vault."""
    return vault[:200]


@pytest.mark.parametrize("spoil", [tampered, cut_off], ids=lambda spoil: spoil.__name__)
@pytest.mark.parametrize("verb", ["rebuild", "vault view"])
def test_a_vault_that_is_damaged_leaks_nothing(scene: Scene, verb: str, spoil: Callable[[bytes], bytes]) -> None:
    """Nothing of what is in it is known, and its password is."""
    whole = scene.vault.read_bytes()
    scene.vault.write_bytes(spoil(whole))
    try:
        with scene.watched() as watch:
            result = watch.keep(scene.loopdeploy("-vvvvv", *verb.split()))
    finally:
        scene.vault.write_bytes(whole)
    assert result.returncode == 2, result.stderr[-2000:]
    assert watch.leaks == []


@pytest.mark.parametrize("verb", ["rebuild", "vault view"])
def test_a_wrong_vault_password_leaks_nothing(scene: Scene, verb: str) -> None:
    """It is a secret of something else."""
    wrong = scene.kept("vault", "wrong", text=f"wrong-{scene.secrets.vault}")
    with scene.watched() as watch:
        result = watch.keep(scene.loopdeploy("-vvvvv", "--vault-password-file", wrong, *verb.split()))
    assert result.returncode == 2, result.stderr[-2000:]
    assert watch.leaks == []


def test_nobody_to_ask_leaks_nothing(scene: Scene) -> None:
    """A pipeline without a vault password ends at once."""
    with scene.watched() as watch:
        # An empty name is none.
        result = watch.keep(scene.loopdeploy("--vault-password-file", "", "status", environment=NO_KEYRING))
    assert result.returncode == 2, result.stderr[-2000:]
    assert watch.leaks == []
