"""Searches what a run left: files on both machines, labels, image histories, logs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import DOCKER
from tests.lab.conftest import LAB
from tests.lab.conftest import STATE
from tests.lab.conftest import Nas

Found = tuple[str, str]
# The engine writes a container's environment down for itself; that is the container's own environment.
ENVIRONMENT = ("/var/lib/docker/containers/", "/run/docker/", "/run/containerd/", "/var/run/docker/")
# The kernel's own, and what is no file of either machine's: the lab's disk is searched from inside of it.
NOT_FILES = ("/proc", "/sys", "/dev/pts", "/var/lib/docker", "/usr/share/loop-example", "/mnt/images")
PATTERNS = "/root/.sentinels"

_FIND = f"""
find / {" ".join(f"-path {path} -prune -o" for path in NOT_FILES if path != "/var/lib/docker")} \\
  -type f -newermt "@$1" -print0 2>/dev/null | xargs -0 -r grep -laF -f {PATTERNS} -- 2>/dev/null
true
"""


def files_here(began: float, spellings: dict[str, str], but: Path) -> list[Found]:
    """Return the files of this machine that were written since ``began`` and hold a secret, except below ``but``."""
    patterns = [argument for path in (*NOT_FILES, but) for argument in ("-path", str(path), "-prune", "-o")]
    find = ["find", "/", *patterns, "-type", "f", "-newermt", f"@{began}", "-print0"]
    touched = subprocess.run(find, check=False, capture_output=True).stdout.split(b"\0")
    return [hit for name in filter(None, touched) for hit in _in_file(Path(name.decode()), spellings)]


def _in_file(file: Path, spellings: dict[str, str]) -> list[Found]:
    try:
        content = file.read_bytes()
    except OSError:
        return []  # it is gone, so nothing is left
    return [(name, str(file)) for spelling, name in spellings.items() if spelling.encode() in content]


def files_of_the_nas(nas: Nas, began: float, spellings: dict[str, str]) -> list[Found]:
    """Return the files of the practice NAS that were written since ``began`` and hold a secret where none may be."""
    nas.run("sh", "-c", f"umask 077; cat > {PATTERNS}", stdin="".join(f"{spelling}\n" for spelling in spellings))
    files = nas.run("sh", "-c", _FIND, "find", str(began)).splitlines()
    nas.run("rm", PATTERNS)
    found = []
    for file in files:
        content = nas.run("cat", file, check=False)
        found += [(name, file) for spelling, name in spellings.items() if spelling in content]
    return [hit for hit in found if not may_be(*hit)]


def may_be(name: str, file: str) -> bool:
    """Return whether a secret may be in a file of the NAS: the vault, a service's own environment, a backup of keys."""
    if name == "rsa":
        return file.startswith((f"{CHECKOUT}/api/oauth/keys/", f"{STATE}/backups/"))
    return name in ("openai", "anthropic") and file.startswith((*ENVIRONMENT, f"{CHECKOUT}/.env"))


def told_by_the_engine(nas: Nas, began: float, spellings: dict[str, str]) -> list[Found]:
    """Return the secrets in container labels, image configurations and histories, and in logs since ``began``."""
    containers = nas.docker("ps", "--all", "--quiet").split()
    images = nas.docker("images", "--all", "--quiet", "--no-trunc").split()
    logs = ["logs", "--since", str(began)]
    told = {
        "container labels": "\n".join(
            json.dumps({**container, "Config": {**container["Config"], "Env": []}})
            for container in json.loads(nas.docker("inspect", *containers))
        ),
        "images": nas.docker("inspect", *images),
        "image history": "\n".join(nas.docker("history", "--no-trunc", image) for image in set(images)),
        "logs of the services": "\n".join(_both(["docker", "exec", LAB, DOCKER, *logs, name]) for name in containers),
        "log of the NAS": _both(["docker", *logs, LAB]),
    }
    return [(name, place) for place, text in told.items() for spelling, name in spellings.items() if spelling in text]


def _both(command: list[str]) -> str:
    result = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace")
    return result.stdout + result.stderr
