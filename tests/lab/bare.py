"""A NAS that loopdeploy meets for the first time: DSM's old Python alone, no requests, no home directory."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.conftest import LAB
from tests.lab.conftest import Nas

HOME = "/var/services/homes/loopadmin"
# Where the practice NAS's own Python waits meanwhile, where DSM's stands, and how its library is found.
AWAY, OLD, LIBRARY = "/usr/bin/.python3.11", "/opt/python3.8", "/etc/ld.so.conf.d/python3.8.conf"


def python38() -> Path | None:
    """Return the directory of a CPython 3.8 of this machine, as pyenv makes it; None without one."""
    return next(iter(sorted(Path.home().glob(".pyenv/versions/3.8.*"))), None)


# For what is about DSM's Python itself.
needs_python38 = pytest.mark.skipif(
    python38() is None, reason="this machine has no Python 3.8 by pyenv to lend to the practice NAS"
)
# For what runs in any case: where there is no 3.8, the skip shows it, and the practice NAS keeps its own.
NAS_PYTHONS = [pytest.param("3.8", marks=needs_python38), *([] if python38() else ["3.11"])]


@contextmanager
def bare(nas: Nas, python: str) -> Iterator[None]:
    """Take from the practice NAS what a new one has not, and give it back; ``python`` is its only one meanwhile."""
    lent = python38() if python == "3.8" else None
    nas.run("rm", "-rf", HOME)
    if lent:
        nas.run("mkdir", "-p", OLD)
        for part in ("bin", "lib"):
            subprocess.run(["docker", "cp", f"{lent}/{part}", f"{LAB}:{OLD}/"], check=True, capture_output=True)
        nas.run("rm", "-rf", f"{OLD}/lib/python3.8/site-packages")
        nas.run("sh", "-c", f"echo {OLD}/lib > {LIBRARY} && ldconfig")
        nas.run("mv", "/usr/bin/python3.11", AWAY)
        nas.run("ln", "-sf", f"{OLD}/bin/python3.8", "/usr/bin/python3")
    try:
        yield
    finally:
        if lent:
            nas.run("mv", AWAY, "/usr/bin/python3.11")
            nas.run("ln", "-sf", "python3.11", "/usr/bin/python3")
            nas.run("rm", "-rf", OLD, LIBRARY)
            nas.run("ldconfig")
        nas.run("rm", "-rf", HOME)
        nas.run("install", "-d", "-o", "loopadmin", "-g", "loopadmin", "-m", "0777", HOME)
