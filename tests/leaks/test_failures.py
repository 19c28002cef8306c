"""Deployments that fail or are cancelled: what tells why has no secret in it."""

from __future__ import annotations

import pytest

from tests.lab.checkout import append
from tests.lab.conftest import STATE
from tests.lab.conftest import Nas
from tests.lab.test_bad_input import moved
from tests.lab.test_bad_input import tiny_disk
from tests.leaks.scene import NO_KEYRING
from tests.leaks.scene import Scene
from tests.leaks.terminal import Terminal
from tests.leaks.watch import Watch

# A lock of a run that is at work on another machine, whose lease is not over.
LOCK = f"""
mkdir {STATE}/lock
until=$(($(cut -d . -f 1 /proc/uptime) + 600))
printf '{{"token": "other", "user": "ann", "host": "desk", "pid": 1, "verb": "rebuild", "lease": 600, "until": %s}}' \\
  "$until" > {STATE}/lock/owner.json
"""

# These change nothing, and so have no check mode.
NOT_CHECKED = ("status", "logs", "doctor")
NEED_THE_ENGINE = (
    "rebuild --force", "rebuild-all --force", "restart --all", "stop --all", "start", "rollback",
    "restore --auth latest", "recover", "status", "logs", "doctor",
)  # fmt: skip
CHECKED_BY_THE_ENGINE = tuple(f"{verb} --check" for verb in NEED_THE_ENGINE if verb.split()[0] not in NOT_CHECKED)
NEED_THE_COMMAND = (
    "rebuild --force", "rebuild-all --force", "restart --all", "stop --all", "start", "status", "logs",
)  # fmt: skip
TAKE_THE_LOCK = (
    "rebuild --force", "rebuild-all --force", "restart --all", "stop --all", "start", "rollback",
    "restore --auth latest", "recover",
)  # fmt: skip
DEPLOY = ("rebuild --force", "rebuild-all --force", "rebuild --check", "rebuild-all --check")
# What is wrong, the verbs that notice, and the exit code.
WRONG: dict[str, tuple[dict[str, object], tuple[str, ...], int]] = {
    "no docker": ({"loop_docker": "/usr/local/bin/docker"}, NEED_THE_COMMAND, 1),
    "no directory": ({"loop_exec_dir": "/volume1/nowhere"}, DEPLOY, 1),
    "no checkout": ({"loop_dir": "/volume1/nowhere"}, DEPLOY, 1),
    "port taken": ({"loop_api_port": 443}, DEPLOY, 1),
    "no variable": ({"loop_api_port": "{{ vault_nowhere }}"}, DEPLOY, 2),
}
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
        require(scene, watch, (*NEED_THE_ENGINE, *CHECKED_BY_THE_ENGINE), 1)
    assert watch.leaks == []


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_set_wrong_leaks_nothing(scene: Scene, wrong: str) -> None:
    """It is noticed beside tasks that have every secret."""
    variables, verbs, code = WRONG[wrong]
    with scene.variables(**variables), scene.watched() as watch:
        require(scene, watch, verbs, code)
    assert watch.leaks == []


def test_a_nas_without_python_leaks_nothing(scene: Scene) -> None:
    """A module then is told of with the whole of its arguments, unless it is hidden."""
    with scene.watched() as watch, moved(scene.nas, "/usr/bin/python3"):
        require(scene, watch, ("rebuild --force", "rebuild-all --force", "logs"), 1)
    assert watch.leaks == []


def test_a_disk_that_is_full_leaks_nothing(scene: Scene) -> None:
    """Where the module puts what is to be built."""
    with scene.watched() as watch, tiny_disk(scene.nas, "/tmp"):
        require(scene, watch, DEPLOY, 1)
    assert watch.leaks == []


def test_a_nas_that_is_locked_leaks_nothing(scene: Scene) -> None:
    """Somebody else is at work on it."""
    scene.nas.run("sh", "-ec", LOCK)
    try:
        with scene.watched() as watch:
            require(scene, watch, TAKE_THE_LOCK, 6)
    finally:
        scene.nas.run("rm", "-r", f"{STATE}/lock")
    assert watch.leaks == []


def require(scene: Scene, watch: Watch, verbs: tuple[str, ...], code: int) -> None:
    """Run each of ``verbs``, which must end with ``code``."""
    for verb in verbs:
        result = watch.keep(scene.loopdeploy(*verb.split(), "--diff", "-vvvvv"))
        assert result.returncode == code, f"{verb}: {result.stderr[-2000:]}"


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


@pytest.mark.parametrize("verbosity", ["-vvvvv", ""])
def test_a_cancelled_verb_leaks_nothing(scene: Scene, checkout: Nas, verbosity: str) -> None:
    """Ctrl-C in each of the others."""
    append(checkout, f"CANCELLED = {verbosity!r}", "api/oauth/main.py")
    options = ["-i", str(scene.inventory), *filter(None, [verbosity])]
    with scene.watched() as watch:
        for verb, step in CANCELLED:
            terminal = Terminal(*options, *verb.split(), environment=NO_KEYRING)
            terminal.answer("Vault password: ", scene.secrets.vault)
            terminal.interrupt(step)
            result = watch.keep(terminal.ends())
            assert result.returncode == 130, f"{verb}: {result.stdout[-2000:]}"
    assert watch.leaks == []
    assert scene.loopdeploy("start").returncode == 0
    assert scene.loopdeploy("rebuild-all").returncode == 0
