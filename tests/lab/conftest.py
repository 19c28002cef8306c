"""The practice NAS and the command, for tests that deploy for real."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loopdeploy.lab import lab_directory

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
LAB = "loopdeploy-lab"
LAB_INVENTORY = ROOT / "inventory" / "lab"
VAULT_PASSWORD = LAB_INVENTORY / "vault-password.txt"
DOCKER = "/var/packages/ContainerManager/target/usr/bin/docker"
CHECKOUT = "/volume1/LOOP_CORE/vault/LOOP"
STATE = "/volume1/LOOP_CORE/loopdeploy"
SERVICES = ("loop-auth", "loop-api")

# Containers and their lives, images, networks, our state, and the checkout; in one call, because each takes a while.
SNAPSHOT = """
$1 ps --all --no-trunc --format 'container {{.ID}} {{.Names}} {{.Image}} {{.Ports}}'
$1 ps --quiet | xargs --no-run-if-empty $1 inspect --format 'life {{.Id}} {{.State.StartedAt}} {{.RestartCount}}'
$1 images --all --no-trunc --format 'image {{.ID}} {{.Repository}}:{{.Tag}}'
$1 network ls --no-trunc --format 'network {{.ID}} {{.Name}}'
ls -lR "$2" 2>&1 | grep -v -e __pycache__ -e '^total '
git -c safe.directory=* -C "$3" status --short
"""

Result = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Nas:
    """The practice NAS, seen from behind: not over SSH, so that a test does not trust what it tests."""

    def run(self, *argv: str, check: bool = True, stdin: str | None = None) -> str:
        """Run ``argv`` as root on the NAS and return its output."""
        command = ["docker", "exec", "--interactive", LAB, *argv]
        result = subprocess.run(command, check=False, capture_output=True, text=True, input=stdin, timeout=120)
        assert not check or result.returncode == 0, result.stderr
        return result.stdout

    def docker(self, *argv: str) -> str:
        """Run a Docker command on the NAS and return its output."""
        return self.run(DOCKER, *argv)

    def inspect(self, container: str) -> dict[str, Any]:
        """Return what the NAS's engine knows of ``container``."""
        return dict(json.loads(self.docker("inspect", container))[0])

    def life(self, container: str) -> tuple[str, str, int]:
        """Return what changes when ``container`` is replaced or restarted: id, start time, restart count."""
        return _life(self.inspect(container))

    def declared(self) -> list[tuple[str, ...]]:
        """Return of which image and declaration each container is, and how it is; empty unless both exist."""
        form = '{{.Image}} {{index .Config.Labels "loopdeploy.config"}} {{.State.Health.Status}}'
        lines = self.run(DOCKER, "inspect", "--format", form, *SERVICES, check=False).splitlines()
        return [tuple(line.split()) for line in lines] if len(lines) == len(SERVICES) else []

    def lives(self) -> list[tuple[str, str, int]]:
        """Return the life of both containers."""
        return [_life(details) for details in json.loads(self.docker("inspect", *SERVICES))]

    def get(self, port: int, path: str) -> Any:
        """Return the JSON that answers on ``port`` of the NAS."""
        code = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=5).read().decode())"
        return json.loads(self.run("python3.11", "-c", code, f"http://127.0.0.1:{port}{path}"))

    def healthy(self) -> bool:
        """Return whether both services answer."""
        # In one call, because nearly every test asks.
        code = "import sys, urllib.request as u; [print(u.urlopen(a, timeout=5).read().decode()) for a in sys.argv[1:]]"
        urls = [f"http://127.0.0.1:{port}/health" for port in (8084, 8082)]
        answers = self.run("python3.11", "-c", code, *urls).splitlines()
        return [json.loads(answer)["status"] for answer in answers] == ["ok", "ok"]

    def snapshot(self) -> list[str]:
        """Return everything on the NAS that a run could change; Docker lists what is of one second in any order."""
        return sorted(self.run("sh", "-c", SNAPSHOT, "snapshot", DOCKER, STATE, CHECKOUT).splitlines())


def _life(details: dict[str, Any]) -> tuple[str, str, int]:
    return details["Id"], details["State"]["StartedAt"], details["RestartCount"]


def command(
    *argv: str | Path, cwd: Path | None = None, environment: dict[str, str] | None = None, stdin: str | None = None
) -> Result:
    """Run a command of the virtual environment, without a terminal; a hang fails the test."""
    given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "LOOPDEPLOY_"))}
    return subprocess.run(
        [str(BIN / argv[0]), *map(str, argv[1:])],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=600,
        env={**clean, **(environment or {})},
        **given,
    )


def loopdeploy(*argv: str | Path, inventory: str | Path = "lab", environment: dict[str, str] | None = None) -> Result:
    """Run ``loopdeploy`` on ``inventory``."""
    return command("loopdeploy", "-i", inventory, *argv, environment=environment)


def deploy(*argv: str | Path, inventory: str | Path = "lab") -> Result:
    """Run ``loopdeploy`` and require that it succeeds."""
    result = loopdeploy(*argv, inventory=inventory)
    assert result.returncode == 0, result.stdout + result.stderr
    return result


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Run what wants an empty NAS first: each change from one to a deployed one costs a deployment."""
    items.sort(key=lambda item: "empty_nas" not in item.fixturenames)


@pytest.fixture(scope="session")
def lab() -> Nas:
    """Bring the practice NAS up."""
    result = command("loopdeploy", "lab", "up")
    assert result.returncode == 0, result.stdout + result.stderr
    return Nas()


@pytest.fixture(scope="session")
def good(lab: Nas) -> list[object]:
    """Return what the containers are after a deployment of the committed checkout; filled by the first `nas`."""
    return []


def deployed(lab: Nas, good: list[object]) -> None:
    """Let the checkout be as it was committed, and both services be of it."""
    lab.run("git", "-c", "safe.directory=*", "-C", CHECKOUT, "checkout", "--quiet", ".")
    if not good or lab.declared() != good:
        deploy("rebuild-all")
        good[:] = lab.declared()
    assert lab.healthy()


@pytest.fixture
def nas(lab: Nas, good: list[object]) -> Nas:
    """Return the practice NAS with both services deployed and the checkout as it was committed."""
    deployed(lab, good)
    return lab


@pytest.fixture
def empty_nas(lab: Nas) -> Nas:
    """Return the practice NAS as loopdeploy first meets it: no container, image, network or state of ours."""
    names = lab.docker("ps", "--all", "--format", "{{.Names}}").split()
    lab.docker("rm", "--force", "none", *[name for name in names if name.startswith(SERVICES)])
    # Another name keeps their layers: what a first build installs need not be installed again for each test.
    for service in SERVICES:
        lab.run(DOCKER, "tag", f"{service}:latest", f"layers-of-{service}", check=False)
    images = lab.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    lab.docker("rmi", "--force", "none", *[image for image in images if image.startswith(SERVICES)])
    lab.run(DOCKER, "network", "rm", "loop", check=False)
    lab.run("rm", "-rf", STATE)
    return lab


@pytest.fixture
def inventory(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that makes a lab inventory with other variables."""

    def make(**variables: object) -> Path:
        copy = tmp_path / "inventory"
        shutil.copytree(LAB_INVENTORY, copy, dirs_exist_ok=True)
        # Read after main.yml and vault.yml, so these count.
        (copy / "group_vars" / "loop" / "zz.yml").write_text(json.dumps(variables))
        return copy

    return make


@pytest.fixture
def kept(nas: Nas) -> Iterator[Nas]:
    """Return the NAS, and require afterwards that both containers run on, untouched and healthy."""
    before = nas.lives()
    yield nas
    assert nas.lives() == before
    assert nas.healthy()


def lab_ports() -> dict[str, int]:
    """Return the ports of this machine on which the practice NAS is reached."""
    return dict(json.loads((lab_directory() / "ports.json").read_text()))
