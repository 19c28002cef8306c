"""Searches what a run left: files on both machines, containers, images and their histories, logs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.lab.conftest import DOCKER
from tests.lab.conftest import LAB
from tests.lab.conftest import Nas
from tests.leaks.allowed import API_KEYS
from tests.leaks.allowed import Found

# The kernel's own, and on this machine the disk of the practice NAS, which is searched from inside of it.
NOT_HERE = ("/proc", "/sys", "/dev/pts", "/var/lib/docker")
# Programs, a million files on a developer's machine, which are searched once, behind all tests.
PROGRAMS = ("/usr", "*/site-packages", "*/lib/python3*", "*/node_modules", "*/.git")
# The kernel's own, and two directories of this machine.
NOT_ON_THE_NAS = ("/proc", "/sys", "/dev/pts", "/usr/share/loop-example", "/mnt/images")
PATTERNS = "/root/.sentinels"
# By the time of the last change of a file's inode, which nothing sets: a copy may have the old one's times. A line of
# the answer is a file's name, a NUL, and what was found.
SCRIPT = """
began=$1 patterns=$2; shift 2
for path; do set -- "$@" -path "$path" -prune -o; shift; done
find / "$@" -type f -newerct "@$began" -print0 2>/dev/null |
  LC_ALL=C xargs -0 -r grep -aoHZF -f "$patterns" -- 2>/dev/null
true
"""


def files_here(began: float, spellings: dict[str, str], patterns: Path, programs: bool = False) -> list[Found]:
    """Return the files of this machine that were written since ``began`` and hold a secret; ``patterns`` is ours.

    Among ``programs`` only when that is asked for.
    """
    pruned = NOT_HERE if programs else (*NOT_HERE, *PROGRAMS)
    patterns.write_text(_lines(spellings))
    command = ["sh", "-c", SCRIPT, "search", str(began), str(patterns), *pruned]
    output = subprocess.run(command, check=True, capture_output=True).stdout
    return list(_found(output.decode(errors="replace"), spellings, str(patterns), "file"))


def files_of_the_nas(nas: Nas, began: float, spellings: dict[str, str]) -> list[Found]:
    """Return the files of the practice NAS that were written since ``began`` and hold a secret."""
    nas.run("sh", "-c", f"umask 077; cat > {PATTERNS}", stdin=_lines(spellings))
    try:
        output = nas.run("sh", "-c", SCRIPT, "search", str(began), PATTERNS, *NOT_ON_THE_NAS)
    finally:
        nas.run("rm", PATTERNS)
    return list(_found(output, spellings, PATTERNS, "file of the NAS"))


def _lines(spellings: dict[str, str]) -> str:
    return "".join(f"{spelling}\n" for spelling in spellings)


def _found(output: str, spellings: dict[str, str], patterns: str, what: str) -> Iterator[Found]:
    hits = [line.partition("\0")[::2] for line in output.split("\n") if line]
    # It was written just now and holds every secret, so a search that does not find it finds nothing.
    if {spellings[spelling] for file, spelling in hits if file == patterns} != set(spellings.values()):
        raise RuntimeError(f"The search does not work: it did not find {patterns}")
    for file, spelling in hits:
        if file != patterns:
            yield spellings[spelling], f"{what}: {file}"


def told_by_the_engine(nas: Nas, began: float, spellings: dict[str, str]) -> list[Found]:
    """Return the secrets in containers, images and their histories, and in logs since ``began``."""
    containers = json.loads(nas.docker("inspect", *nas.docker("ps", "--all", "--quiet").split()))
    images = sorted(set(nas.docker("images", "--all", "--quiet", "--no-trunc").split()))
    told = {
        "images": nas.docker("inspect", *images),
        "image history": _each(nas, "history --no-trunc", images),
        "log of the NAS": _both(["docker", "logs", "--since", str(began), LAB]),
    }
    for container in containers:
        name = container["Name"].removeprefix("/")
        told[f"label of {name}"] = json.dumps(container["Config"].pop("Labels"))
        told[f"log of {name}"] = _each(nas, f"logs --since {began}", [container["Id"]])
        told[f"declaration of {name}"] = json.dumps(_without_own_environment(name, container))
    return [(name, place) for place, text in told.items() for spelling, name in spellings.items() if spelling in text]


def _without_own_environment(name: str, container: dict[str, dict[str, list[str]]]) -> object:
    """Return what the engine knows of a container, without the API keys that loop-api has in its environment."""
    own = tuple(f"{variable}=" for variable in API_KEYS) if name.startswith("loop-api") else ()
    config = container["Config"]
    config["Env"] = [variable for variable in config["Env"] or [] if not variable.startswith(own)]
    return container


def _each(nas: Nas, command: str, names: list[str]) -> str:
    """Return what a Docker command on the NAS prints of each of ``names``, on both streams."""
    loop = f'for name; do {DOCKER} {command} "$name" 2>&1; done; true'
    return _both(["docker", "exec", LAB, "sh", "-c", loop, "each", *names])


def _both(command: list[str]) -> str:
    result = subprocess.run(command, check=True, capture_output=True, text=True, errors="replace")
    return result.stdout + result.stderr
