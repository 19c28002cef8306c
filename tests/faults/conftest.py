"""What the cells of the fault matrix share: a service under load, a broken checkout, a run that is hit at a step."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pexpect
import pytest

from tests.lab.checkout import append as append
from tests.lab.checkout import restored as restored
from tests.lab.conftest import STATE
from tests.lab.conftest import VAULT_PASSWORD
from tests.lab.conftest import Nas
from tests.lab.conftest import Result
from tests.lab.conftest import command
from tests.lab.conftest import deploy
from tests.lab.conftest import empty_nas as empty_nas
from tests.lab.conftest import good as good
from tests.lab.conftest import inventory as inventory
from tests.lab.conftest import lab as lab
from tests.lab.conftest import lab_ports
from tests.lab.conftest import nas as nas

# Code that works until a file says otherwise.
CRASH = """
from pathlib import Path
if Path("/vault/.crash").exists():
    raise SystemExit("crash on purpose")
"""
FAMILY = ("candidate", "next", "discard")
# Seconds between two requests of the client that watches the service.
BEAT = 0.05
# Seconds for which loop-api may be away: between two of these requests, and where a container takes its place.
UNNOTICED, SWAPPED = 1.0, 10.0


class Client:
    """Asks loop-api for its health all the time, and knows the longest time without an answer, in seconds."""

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{lab_ports()['api']}/health"
        self.longest = 0.0
        self.answers = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Client:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _ask(self) -> None:
        last = time.monotonic()
        while not self._done.wait(BEAT):
            try:
                with urllib.request.urlopen(self.url, timeout=2) as answer:
                    self.answers += answer.status == 200
            except OSError:
                continue
            now = time.monotonic()
            self.longest = max(self.longest, now - last)
            last = now
        self.longest = max(self.longest, time.monotonic() - last)


@pytest.fixture
def quick(inventory: Callable[..., Path]) -> Callable[..., Result]:
    """Return a function that runs a verb on the lab with other variables and a short patience."""

    def run(*argv: str, **variables: object) -> Result:
        place = inventory(**{"loop_service_healthy_timeout": 8, **variables})
        return command("loopdeploy", "-i", place, "--vault-password-file", VAULT_PASSWORD, *argv)

    return run


@pytest.fixture
def checkout(nas: Nas) -> Iterator[Nas]:
    """Return the NAS, and put its checkout back afterwards."""
    yield nas
    restored(nas)


def left(nas: Nas) -> list[str]:
    """Return what an unfinished run left: containers, journals, the lock."""
    names = nas.docker("ps", "--all", "--format", "{{.Names}}").split()
    ours = " ".join(f"{STATE}/{name}" for name in ("swap-*.json", "restore-*.json", "lock", "cancel"))
    files = nas.run("sh", "-c", f"ls -d {ours} 2>/dev/null", check=False)
    return [name for name in names if name.endswith(FAMILY)] + files.split()


def next_run_succeeds(nas: Nas) -> None:
    """Require that the next run cleans up and leaves both services healthy."""
    deploy("rebuild")
    assert left(nas) == []
    assert nas.healthy()
    assert nas.inspect("loop-api")["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"


def is_served(nas: Nas) -> bool:
    """Return whether loop-api or its predecessor answers within a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if nas.get(8082, "/health")["status"] == "ok":
                return True
        except AssertionError:
            time.sleep(0.5)
    return False


def is_of_one_release(nas: Nas, before: dict[str, Any]) -> None:
    """Require that loop-api is the container ``before``, or one that keeps it, and runs its release's image."""
    now = nas.inspect("loop-api")
    image = f"loop-api:{now['Config']['Labels']['loopdeploy.release']}"
    assert nas.docker("images", "--no-trunc", "--quiet", image).strip() == now["Image"]
    if now["Id"] != before["Id"]:
        assert nas.inspect("loop-api-previous")["Id"] == before["Id"]


class Run:
    """One ``loopdeploy`` on a terminal, so that it tells each step when it begins."""

    def __init__(self, *argv: str) -> None:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "LOOPDEPLOY_"))}
        program = str(Path(sys.executable).with_name("loopdeploy"))
        self.child = pexpect.spawn(
            program, ["-i", "lab", *argv], env={**clean, "COLUMNS": "300"}, encoding="utf-8", timeout=120
        )

    def until(self, step: str) -> None:
        """Return as soon as ``step`` begins."""
        self.child.expect_exact(step, timeout=120)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to loopdeploy itself."""
        self.child.kill(number)

    def ends(self) -> int:
        """Return the exit code, negative for a signal."""
        self.child.expect(pexpect.EOF, timeout=240)
        self.child.close()
        return int(self.child.exitstatus if self.child.exitstatus is not None else -(self.child.signalstatus or 0))


def cut_the_line(nas: Nas) -> None:
    """End every SSH session of the operator on the NAS, as a broken line does."""
    nas.run("pkill", "-KILL", "-f", "^sshd: loopadmin", check=False)


def deployers() -> list[int]:
    """Return the ids of every ansible-playbook of loopdeploy's that runs."""
    found = subprocess.run(["pgrep", "-f", "loopdeploy.ansible"], check=False, capture_output=True, text=True)
    return [int(pid) for pid in found.stdout.split()]


@contextmanager
def paused_deployers() -> Iterator[None]:
    """Let those who deploy now take no step until the end of the block."""
    paused = deployers()
    assert paused
    for number in paused:
        os.kill(number, signal.SIGSTOP)
    try:
        yield
    finally:
        for number in paused:
            os.kill(number, signal.SIGCONT)


def nobody_deploys() -> None:
    """Wait until no ansible-playbook of a killed run is left."""
    deadline = time.monotonic() + 60
    while deployers():
        assert time.monotonic() < deadline, "an ansible-playbook outlived its loopdeploy"
        time.sleep(0.2)
