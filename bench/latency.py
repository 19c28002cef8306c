"""Measure loopdeploy against the one-liners that it replaces, on the lab, in one run.

The one-liners log in anew each time with ``sshpass``, as the operators did; loopdeploy keeps its connection.
Prints each median and worst time in seconds, the two ratios, and how many remote tasks each verb ran.
Exits 1 when a ratio is above its bound.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from loopdeploy.lab import LAB_PASSWORD
from loopdeploy.lab import LAB_USER
from loopdeploy.lab import lab_directory

DOCKER = "/var/packages/ContainerManager/target/usr/bin/docker"
CHECKOUT = "/volume1/LOOP_CORE/vault/LOOP"
LOOPDEPLOY = [str(Path(sys.executable).with_name("loopdeploy")), "-i", "lab"]
BOUNDS = {"status": 3.0, "rebuild": 4.0}


def require_sshpass() -> None:
    """End with a sentence when the one-liners, which need it, cannot run here."""
    if not shutil.which("sshpass"):
        sys.exit("The bench compares with sshpass, which is not installed: apt-get install sshpass.")


def one_liner(command: str) -> list[str]:
    """Return the old way to run ``command`` as root on the practice NAS."""
    state = lab_directory()
    port = json.loads((state / "ports.json").read_text())["ssh"]
    known_hosts = f"UserKnownHostsFile={state / 'known_hosts'}"
    remote = f"echo {LAB_PASSWORD} | sudo -S {command}"
    login = ["-o", known_hosts, "-o", "ControlPath=none", "-p", str(port), f"{LAB_USER}@127.0.0.1"]
    return ["sshpass", "-e", "ssh", *login, remote]


def seconds(command: list[str]) -> float:
    """Return how long ``command`` took; raises CalledProcessError when it fails."""
    environment = {**os.environ, "SSHPASS": LAB_PASSWORD}
    # Set on some build machines; an operator's Python compiles loopdeploy once, not in each run.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - started


def compare(old: list[str], new: list[str], runs: int) -> tuple[list[float], list[float]]:
    """Return the times of both commands, run in turn so that a busy machine slows both."""
    seconds(old), seconds(new)
    pairs = [(seconds(old), seconds(new)) for _ in range(runs)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def remote_tasks(verb: str) -> int:
    """Return how many tasks of ``verb`` ran something on the NAS."""
    output = subprocess.run([*LOOPDEPLOY, verb], check=True, capture_output=True, text=True).stderr
    return len(re.findall(r"^ *(?:ok|changed) +[\d.]+ s ", output, re.MULTILINE))


def main() -> int:
    """Run the bench and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    require_sshpass()
    rows = {
        "status": compare(one_liner(f"{DOCKER} ps"), [*LOOPDEPLOY, "status"], runs),
        "rebuild": compare(one_liner(f"{DOCKER} build -t loop-api {CHECKOUT}"), [*LOOPDEPLOY, "rebuild"], runs),
    }
    print(f"{'verb':10}{'one-liner':>12}{'worst':>8}{'loopdeploy':>12}{'worst':>8}{'ratio':>8}{'bound':>8}")
    missed = False
    for verb, (old, new) in rows.items():
        ratio = statistics.median(new) / statistics.median(old)
        missed = missed or ratio > BOUNDS[verb]
        times = f"{statistics.median(old):12.2f}{max(old):8.2f}{statistics.median(new):12.2f}{max(new):8.2f}"
        print(f"{verb:10}{times}{ratio:8.2f}{BOUNDS[verb]:8.1f}")
    verbs = ("status", "rebuild", "rebuild-all", "logs", "restart", "stop", "start")
    print("remote tasks:", ", ".join(f"{verb} {remote_tasks(verb)}" for verb in verbs))
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
