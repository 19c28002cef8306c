"""Suites and clients from npm at pinned versions, installed once for all checkouts, with a Node new enough for them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

SCRIPTS = Path(__file__).parent / "node"


def node_tools() -> dict[str, str]:
    """Return an environment in whose PATH ``node`` and the suites are; NODE_TOOLS is where the scripts stand."""
    npm = shutil.which("npm")
    assert npm, "npm is missing; install it: the suites that judge the services come from there."
    pinned = (SCRIPTS / "package.json").read_bytes()
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "loopdeploy"
    directory = cache / f"node-{hashlib.sha256(pinned).hexdigest()[:12]}"
    if not directory.exists():
        _install(npm, directory, pinned)
    # Scripts find their packages beside themselves.
    for script in SCRIPTS.glob("*.mjs"):
        shutil.copy(script, directory)
    modules = directory / "node_modules"
    path = os.pathsep.join([str(modules / "node" / "bin"), str(modules / ".bin"), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "NODE_TOOLS": str(directory)}


def run_tool(directory: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a package's command in a directory of its own, with nothing else of this environment."""
    own = {"PATH": node_tools()["PATH"], "HOME": str(directory), "MCP_STORAGE_DIR": str(directory / "inspector")}
    return subprocess.run(
        command, cwd=directory, env={**own, **variables},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def _install(npm: str, directory: Path, pinned: bytes) -> None:
    partial = directory.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    (partial / "package.json").write_bytes(pinned)
    command = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    ended = subprocess.run(command, cwd=partial, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stderr
    partial.rename(directory)
