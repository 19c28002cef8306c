"""Deployments that fail or are cancelled: what tells why has no secret in it."""

from __future__ import annotations

import pytest

from tests.lab.checkout import append
from tests.lab.conftest import STATE
from tests.lab.conftest import Nas
from tests.lab.test_bad_input import moved
from tests.leaks.scene import NO_KEYRING
from tests.leaks.scene import Scene
from tests.leaks.terminal import Terminal

# A lock of a run that is at work on another machine, whose lease is not over.
LOCK = f"""
mkdir {STATE}/lock
until=$(($(cut -d . -f 1 /proc/uptime) + 600))
printf '{{"token": "other", "user": "ann", "host": "desk", "pid": 1, "verb": "rebuild", "lease": 600, "until": %s}}' \\
  "$until" > {STATE}/lock/owner.json
"""

NEED_THE_ENGINE = (
    "rebuild --force", "rebuild-all --force", "restart --all", "stop --all", "start", "rollback",
    "restore --auth latest", "recover", "status", "logs", "doctor",
)  # fmt: skip
# What each verb is at when somebody types Ctrl-C.
CANCELLED = (
    ("rebuild-all", "Back up database and keys"), ("restart --all", "Restart loop-auth"),
    ("stop --all", "Stop loop-auth"), ("start", "Begin start"), ("rollback", "Start the kept container"),
    ("restore --auth latest", "Bring back the backup"), ("recover", "Begin recover"),
    ("bootstrap", "Create the state directory"), ("status", "Read the containers"), ("logs", "Read the log of"),
    ("doctor", "Judge what it said"), ("history", "Read the history"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("service", "file", "code", "exit_code"),
    [
        ("loop-api", "Dockerfile", "RUN nothing-of-that-name", 1),
        ("loop-api", "api/main.py", "raise SystemExit('broken on purpose')", 1),
        ("loop-api", "api/main.py", "import os; print(sorted(os.environ)); os._exit(3)", 1),
        ("loop-api", "api/main.py", "import time; time.sleep(60)", 1),
        # loop-auth is not proved beforehand, so what ran before comes back; its code is not in its image alone.
        ("loop-auth", "Dockerfile.auth", 'CMD ["sh", "-c", "echo broken on purpose; exit 3"]', 5),
    ],
    ids=["build", "crash", "exit", "hang", "rolled back"],
)  # fmt: skip
def test_a_release_that_fails_leaks_nothing(
    scene: Scene, checkout: Nas, service: str, file: str, code: str, exit_code: int
) -> None:
    """Its environment is in nobody's message."""
    append(checkout, code, file)
    with scene.watched() as watch:
        result = watch.keep(scene.loopdeploy("rebuild", service, "--diff", "-vvvvv"))
    assert result.returncode == exit_code, result.stderr[-2000:]
    assert watch.leaks == []


def test_keys_that_are_no_text_leak_nothing(scene: Scene) -> None:
    """The module that refuses them names the variable alone."""
    keys = {"vault_openai_api_key": [scene.secrets.openai], "vault_anthropic_api_key": [scene.secrets.anthropic]}
    with scene.variables(**keys), scene.watched() as watch:
        result = watch.keep(scene.loopdeploy("rebuild", "--force", "--diff", "-vvvvv"))
    assert result.returncode == 1, result.stderr[-2000:]
    assert watch.leaks == []


def test_an_engine_that_is_down_leaks_nothing(scene: Scene) -> None:
    """Each step that is hidden for its secrets says why it failed, at every verb that asks the engine."""
    with scene.watched() as watch, moved(scene.nas, "/run/docker.sock"):
        for verb in NEED_THE_ENGINE:
            result = watch.keep(scene.loopdeploy(*verb.split(), "--diff", "-vvvvv"))
            assert result.returncode == 1, f"{verb}: {result.stderr[-2000:]}"
    assert watch.leaks == []


def test_a_nas_that_is_locked_leaks_nothing(scene: Scene) -> None:
    """Somebody else is at work on it."""
    scene.nas.run("sh", "-ec", LOCK)
    try:
        with scene.watched() as watch:
            result = watch.keep(scene.loopdeploy("restart", "--diff", "-vvvvv"))
    finally:
        scene.nas.run("rm", "-r", f"{STATE}/lock")
    assert result.returncode == 6, result.stderr[-2000:]
    assert watch.leaks == []


@pytest.mark.parametrize("step", ["Build loop-api", "Make loop-api-candidate", "Swap in release"])
def test_a_cancelled_run_leaks_nothing(scene: Scene, checkout: Nas, step: str) -> None:
    """Ctrl-C on a terminal, the vault password typed there."""
    append(checkout, f"CANCELLED = {step!r}")
    with scene.watched() as watch:
        terminal = Terminal("-i", str(scene.inventory), "-vvvvv", "rebuild", "--diff", environment=NO_KEYRING)
        terminal.answer("Vault password: ", scene.secrets.vault)
        terminal.interrupt(step)
        result = watch.keep(terminal.ends())
    assert result.returncode == 130, result.stdout[-2000:]
    assert watch.leaks == []
    assert scene.loopdeploy("rebuild").returncode == 0


def test_a_cancelled_verb_leaks_nothing(scene: Scene, checkout: Nas) -> None:
    """Ctrl-C in each of the others."""
    append(checkout, "CANCELLED = True", "api/oauth/main.py")
    with scene.watched() as watch:
        for verb, step in CANCELLED:
            terminal = Terminal("-i", str(scene.inventory), "-vvvvv", *verb.split(), environment=NO_KEYRING)
            terminal.answer("Vault password: ", scene.secrets.vault)
            terminal.interrupt(step)
            result = watch.keep(terminal.ends())
            assert result.returncode == 130, f"{verb}: {result.stdout[-2000:]}"
    assert watch.leaks == []
    assert scene.loopdeploy("start").returncode == 0
    assert scene.loopdeploy("rebuild-all").returncode == 0
