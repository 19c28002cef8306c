"""What pip installs works without a clone."""

from __future__ import annotations

import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import BIN
from tests.lab.conftest import ROOT
from tests.lab.conftest import Nas
from tests.lab.conftest import command


@pytest.fixture
def lent_nas(empty_nas: Nas) -> Iterator[Nas]:
    """Return an empty practice NAS, and let it be this clone's again, not one with the wheel's LOOP checkout."""
    yield empty_nas
    assert command("loopdeploy", "lab", "up").returncode == 0


def test_a_wheel_deploys_from_an_empty_directory(lent_nas: Nas, tmp_path: Path) -> None:
    """An empty virtual environment elsewhere, a umask that leaves it to its owner, an empty directory.

    On a NAS that has nothing yet, so that modules, scripts and archive of the wheel's own roles do the work.
    """
    subprocess.run(
        [BIN / "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT], check=True, timeout=300
    )
    (wheel,) = tmp_path.glob("loopdeploy-*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    bin_ = tmp_path / "venv" / "bin"
    # Not compiled: Ansible is 30,000 files, and few of them run.
    quickly = ("--quiet", "--no-compile", "--constraint", ROOT / "constraints.txt")
    pip: list[str | Path] = [bin_ / "pip", "install", *quickly, wheel]
    subprocess.run(pip, check=True, timeout=600, umask=0o077)
    (empty := tmp_path / "empty").mkdir()

    for argv in (["lab", "up"], ["-i", "lab", "rebuild-all"], ["-i", "lab", "status"]):
        argv_: list[str | Path] = [bin_ / "loopdeploy", *argv]
        result = subprocess.run(argv_, check=False, capture_output=True, text=True, timeout=600, cwd=empty, umask=0o77)
        assert result.returncode == 0, result.stderr
    assert lent_nas.healthy()
    assert not list(empty.iterdir())


def test_the_module_runs_the_command() -> None:
    """``python -m loopdeploy`` is the command."""
    result = subprocess.run(
        [sys.executable, "-m", "loopdeploy", "--version"], check=True, capture_output=True, text=True
    )
    assert result.stdout.startswith("python -m loopdeploy, version ")
