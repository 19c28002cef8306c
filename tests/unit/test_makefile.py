"""What `make` installs beside Python, with scripts in the place of the system's own programs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def installs(tmp_path: Path) -> Path:
    """Return the directory of a system that has apt-get, which writes down how it is called."""
    (tmp_path / "apt-get").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/called\n')
    (tmp_path / "there").write_text("#!/bin/sh\n")
    for name in ("apt-get", "there"):
        (tmp_path / name).chmod(0o755)
    (tmp_path / "called").touch()
    return tmp_path


def called(installs: Path, uid: int, programs: str) -> list[str]:
    """Let a target want these programs; return how it called apt-get."""
    (installs / "id").write_text(f"#!/bin/sh\necho {uid}\n")
    (installs / "id").chmod(0o755)
    want = f"wanted: ; $(call installed,{programs})"
    # Without what a `make` that runs the tests hands down.
    environment = {**os.environ, "PATH": f"{installs}:{os.environ['PATH']}", "MAKEFLAGS": ""}
    subprocess.run(["make", "--eval", want, "wanted"], cwd=ROOT, check=True, capture_output=True, env=environment)
    return (installs / "called").read_text().splitlines()


def test_missing_program_is_installed_by_root(installs: Path) -> None:
    """From lists that are new: a bare machine has none."""
    assert called(installs, 0, "there nowhere") == ["update -q", "install -y -q --no-install-recommends nowhere"]


def test_nothing_is_installed_by_others(installs: Path) -> None:
    """The bench or the test then says what is missing."""
    assert called(installs, 1000, "there nowhere") == []
