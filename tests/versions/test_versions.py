"""Control Python 3.11 with ansible 12, and 3.13 with ansible 14: each in a virtual environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.bare import bare
from tests.lab.bare import needs_python38
from tests.lab.conftest import ROOT
from tests.lab.conftest import Nas
from tests.lab.conftest import Result
from tests.lab.conftest import command
from tests.lab.conftest import deploy

PAIRS = {"3.11": "ansible>=12.3,<13", "3.13": "ansible>=14,<15"}

Loopdeploy = Callable[..., Result]


def interpreter(version: str) -> Path | None:
    """Return a Python of this ``version`` on this machine, of pyenv or on the PATH; None without one."""
    by_pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    # pyenv's own on the PATH may stand for a version that is not switched on.
    on_path = [Path(found)] if (found := shutil.which(f"python{version}")) else []
    return next(iter([*by_pyenv, *on_path]), None)


def installed(version: str, directory: Path) -> Loopdeploy:
    """Install loopdeploy with the Ansible that belongs to this Python, and return its command, on the lab."""
    python = interpreter(version)
    if python is None:
        pytest.skip(f"this machine has no Python {version}, by pyenv or on the PATH, to run loopdeploy with")
    environment = directory / "venv"
    subprocess.run([python, "-m", "venv", environment], check=True, timeout=120)
    pip = [str(environment / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, str(ROOT), PAIRS[version]], check=True, timeout=900)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "LOOPDEPLOY_"))}

    def loopdeploy(*argv: str) -> Result:
        program = environment / "bin" / "loopdeploy"
        return subprocess.run(
            [program, "-i", "lab", *argv], cwd=directory, env=clean, check=False, capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=600,
        )  # fmt: skip

    return loopdeploy


@pytest.fixture(scope="module", params=PAIRS)
def loopdeploy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loopdeploy:
    """Return the command of each pair; one that this machine has no Python for is skipped, and seen to be."""
    return installed(request.param, tmp_path_factory.mktemp("versions"))


def test_end_to_end(empty_nas: Nas, loopdeploy: Loopdeploy) -> None:
    """From an empty NAS to two healthy services, a release, a rollback and the way back."""
    for argv in (["rebuild-all"], ["status"], ["rebuild"]):
        result = loopdeploy(*argv)
        assert result.returncode == 0, result.stderr
    assert "nothing changed" in result.stderr
    first = empty_nas.life("loop-api")
    for argv in (["rebuild", "--force"], ["rollback"]):
        result = loopdeploy(*argv)
        assert result.returncode == 0, result.stderr
    assert empty_nas.life("loop-api")[0] == first[0]
    assert loopdeploy("stop", "--all").returncode == 0
    assert loopdeploy("status").returncode == 4
    assert loopdeploy("start").returncode == 0
    assert empty_nas.healthy()


@needs_python38
def test_a_nas_with_python_38(nas: Nas, loopdeploy: Loopdeploy, request: pytest.FixtureRequest) -> None:
    """With ansible 12 it is deployed on; ansible 14 says in one sentence what does not fit and what to do."""
    before = nas.lives()
    with bare(nas, "3.8"):
        result = loopdeploy("rebuild", "--force")
    if request.node.callspec.params["loopdeploy"] == "3.11":
        assert result.returncode == 0, result.stderr
        assert nas.healthy()
        return
    assert result.returncode == 2, result.stderr
    [error] = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert "Python 3.8" in error and "ansible" in error and "Traceback" not in result.stderr
    assert nas.lives() == before
    assert command("loopdeploy", "-i", "lab", "status").returncode == 0


def test_the_command_of_this_environment_goes_on(nas: Nas) -> None:
    """What another version deployed, this one finds unchanged or replaces."""
    deploy("rebuild-all")
    assert nas.healthy()
