"""Suites from npm, installed once into a cache beside the checkout, with a Node that is new enough for them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent / "node"
CACHE = Path(__file__).parents[2] / ".cache" / "node"


def node_tools() -> dict[str, str]:
    """Return an environment in whose PATH ``node`` and the suites are; skip where npm is missing."""
    if shutil.which("npm") is None:
        pytest.skip("npm is missing; install Node, then the suites from npm run too.")
    wanted = (SCRIPTS / "package.json").read_bytes()
    directory = CACHE / hashlib.sha256(wanted).hexdigest()[:12]
    if not (directory / "node_modules").exists():
        _install(directory, wanted)
    # Scripts find their packages beside themselves.
    for script in SCRIPTS.glob("*.mjs"):
        shutil.copy(script, directory)
    modules = directory / "node_modules"
    path = os.pathsep.join([str(modules / "node" / "bin"), str(modules / ".bin"), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "NODE_TOOLS": str(directory)}


def _install(directory: Path, wanted: bytes) -> None:
    partial = directory.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    (partial / "package.json").write_bytes(wanted)
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    result = subprocess.run(command, cwd=partial, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    partial.rename(directory)
