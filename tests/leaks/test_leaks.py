"""Every verb, in every way that it can end, at every verbosity: no secret is where it may not be."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pexpect
import pytest

from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import command
from tests.leaks.scene import Scene

VERBS = (
    "rebuild --force", "rebuild-all --force", "restart --all", "stop --all", "start", "rollback",
    "restore --auth latest", "recover", "unlock", "bootstrap", "status", "logs", "history --json", "doctor",
)  # fmt: skip


def changed(scene: Scene, code: str, file: str = "api/main.py") -> None:
    """Append to a file of the checkout."""
    scene.nas.run("sh", "-c", f"cat >> {CHECKOUT}/{file}", stdin=f"\n{code}\n")


def restored(scene: Scene) -> None:
    """Put the checkout back as it was committed."""
    scene.nas.run("git", "-c", "safe.directory=*", "-C", CHECKOUT, "checkout", "--quiet", ".")


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_succeeds_leaks_nothing(scene: Scene, verb: str) -> None:
    """With differences and all of Ansible's own output."""
    with scene.watched() as watch:
        result = watch.keep(scene.loopdeploy(*verb.split(), "--diff", "-vvvvv"))
    assert len(watch.outputs[0]) > 1000
    assert result.returncode == 0 or verb == "doctor", result.stderr[-2000:]
    assert watch.leaks == []
    assert watch.beat < 0.05


@pytest.mark.parametrize("verb", ["rebuild", "rebuild-all", "restart", "stop", "rollback"])
def test_check_mode_with_differences_leaks_nothing(scene: Scene, verb: str) -> None:
    """Something would change, and is told of."""
    changed(scene, "CHECKED = True")
    try:
        with scene.watched() as watch:
            watch.keep(scene.loopdeploy(verb, "--check", "--diff", "-vvvvv"))
    finally:
        restored(scene)
    assert watch.leaks == []


@pytest.mark.parametrize("verbosity", ["", "-v", "-vv", "-vvv", "-vvvv"])
def test_ansible_playbook_leaks_nothing(scene: Scene, verbosity: str) -> None:
    """Used without loopdeploy, a container newly made."""
    scene.nas.docker("rm", "--force", "loop-api")
    with scene.watched() as watch:
        result = watch.keep(scene.ansible_playbook("rebuild", "--diff", *filter(None, [verbosity])))
    assert result.returncode == 0, result.stdout[-2000:]
    assert watch.leaks == []


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("Dockerfile", "RUN nothing-of-that-name"),
        ("api/main.py", "raise SystemExit('broken on purpose')"),
        ("api/main.py", "import os; print(sorted(os.environ)); os._exit(3)"),
        ("api/main.py", "import time; time.sleep(60)"),
    ],
    ids=["build", "crash", "exit", "hang"],
)  # fmt: skip
def test_a_release_that_fails_leaks_nothing(scene: Scene, file: str, code: str) -> None:
    """Its environment is in nobody's message."""
    changed(scene, code, file)
    try:
        with scene.watched() as watch:
            result = watch.keep(scene.loopdeploy("rebuild", "--diff", "-vvvvv"))
    finally:
        restored(scene)
    assert result.returncode == 1, result.stderr[-2000:]
    assert watch.leaks == []


@pytest.mark.parametrize("broken", ["vault_ssh_password", "vault_sudo_password", "vault_openai_api_key"])
def test_a_secret_that_is_refused_leaks_nothing(scene: Scene, broken: str) -> None:
    """A wrong login, a wrong sudo password, a key that is no text; the right ones of the others are in use."""
    extra = scene.inventory / "group_vars" / "loop" / "zzz.yml"
    value = "[1]" if "api_key" in broken else f"wrong-{scene.secrets.ssh}"
    extra.write_text(f"{broken}: {value}\nansible_control_path_dir: {scene.directory / broken}\n")
    try:
        with scene.watched() as watch:
            result = watch.keep(scene.loopdeploy("rebuild", "--force", "--diff", "-vvvvv"))
    finally:
        extra.unlink()
    assert result.returncode in (0, 1, 3)
    assert watch.leaks == []


def test_a_wrong_vault_password_leaks_nothing(scene: Scene) -> None:
    """It is a secret of something else."""
    wrong = scene.directory / "wrong"
    wrong.write_text(f"wrong-{scene.secrets.vault}\n")
    with scene.watched() as watch:
        argv = ("--vault-password-file", str(wrong), "rebuild", "-vvvvv")
        assert watch.keep(scene.loopdeploy(*argv)).returncode == 2
    assert watch.leaks == []


@pytest.mark.parametrize("step", ["Build loop-api", "Make loop-api-candidate", "Swap in release"])
def test_a_cancelled_run_leaks_nothing(scene: Scene, step: str) -> None:
    """Ctrl-C on a terminal, the vault password typed there."""
    changed(scene, f"CANCELLED = {step!r}")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "LOOPDEPLOY_"))}
    program = str(Path(sys.executable).with_name("loopdeploy"))
    try:
        with scene.watched() as watch:
            argv = ["-i", str(scene.inventory), "-vvvvv", "rebuild"]
            child = pexpect.spawn(program, argv, env={**clean, "COLUMNS": "300"}, encoding="utf-8", timeout=120)
            child.expect("Vault password: ")
            child.sendline(scene.secrets.vault)
            child.expect_exact(step)
            child.sendintr()
            rest = child.read()
            child.close()
            watch.outputs.append(rest)
    finally:
        restored(scene)
    assert child.exitstatus == 130, rest[-2000:]
    assert watch.leaks == []
    assert scene.loopdeploy("rebuild").returncode == 0


def test_nothing_asks_when_there_is_nobody(scene: Scene) -> None:
    """A pipeline without a vault password is told so at once."""
    result = command("loopdeploy", "-i", scene.inventory, "status")
    assert result.returncode == 2
    assert re.search(r"there is no terminal to ask on", result.stderr)
