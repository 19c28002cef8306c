"""Measure how long loop-api is away while it is replaced: by the old one-liners, and by loopdeploy, on the lab.

Each way and each condition is run in turn, several times, under 100 requests a second over fresh connections and 10
kept ones. Prints the median and the worst of the longest outages, draws them into docs/outage.png, and exits 1 when a
bound is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.latency import CHECKOUT
from bench.latency import DOCKER
from bench.latency import LOOPDEPLOY
from bench.latency import one_liner
from bench.latency import require_sshpass
from bench.plot import draw
from bench.traffic import Traffic
from loopdeploy.lab import LAB_PASSWORD
from loopdeploy.lab import lab_directory
from tests.lab.conftest import Nas
from tests.lab.sign_in import tokens

ROOT = Path(__file__).resolve().parents[1]
OLD, NEW = "one-liners", "loopdeploy"
# What an application does that does not hear SIGTERM; uvicorn's own handler is set before.
DEAF = """
import signal
from contextlib import asynccontextmanager
hearing = app.router.lifespan_context
@asynccontextmanager
async def deaf(app):
    async with hearing(app) as state:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        yield state
app.router.lifespan_context = deaf
"""
STOP_TIMEOUT = 10
Row = tuple[str, str, list[float]]


def old_commands(nas: Nas) -> list[list[str]]:
    """Return the one-liners that replaced loop-api, word for word but for the address, and the environment it has."""
    environment = " ".join(f"-e {value}" for value in nas.inspect("loop-api")["Config"]["Env"])
    run = (
        f"{DOCKER} run -d --name loop-api --restart unless-stopped -p 8082:8081 --network loop"
        f" -v {CHECKOUT}:/vault:rw -v /volume1/LOOP_CLevel/vault/loop_exec:/vault/exec:ro"
        f" -v {CHECKOUT}/api/oauth/keys:/app/api/oauth/keys:ro {environment} loop-api:latest"
    )
    steps = [f"{DOCKER} build -t loop-api:latest {CHECKOUT}", f"{DOCKER} stop loop-api", f"{DOCKER} rm loop-api", run]
    return [one_liner(step) for step in steps]


def replace_the_old_way(nas: Nas) -> None:
    """Build, stop, remove and run, each over a login of its own; a failure stops nobody, as in the old notes."""
    for command in old_commands(nas):
        subprocess.run(command, check=False, capture_output=True, env={**os.environ, "SSHPASS": LAB_PASSWORD})


def replace_the_new_way(nas: Nas) -> None:
    """Run ``loopdeploy rebuild``; what it answers to a broken image is not the question here."""
    subprocess.run([*LOOPDEPLOY, "rebuild"], check=False, capture_output=True)


WAYS: dict[str, Callable[[Nas], None]] = {OLD: replace_the_old_way, NEW: replace_the_new_way}


@contextmanager
def changed(nas: Nas, code: str) -> Iterator[None]:
    """Let the checkout have other code for a while."""
    if code:
        nas.run("sh", "-c", f"cat >> {CHECKOUT}/api/main.py", stdin=f"\n{code}\n")
    yield
    nas.run("git", "-c", "safe.directory=*", "-C", CHECKOUT, "checkout", "--quiet", ".")


def measure(nas: Nas, way: str, condition: Condition, token: str) -> tuple[float, int]:
    """Return the longest outage of loop-api in seconds while it is replaced, and how many requests failed that may not.

    Those are the ones to loop-auth, and to a loop-api that is to stay, over fresh and over kept connections.
    """
    ports = json.loads((lab_directory() / "ports.json").read_text())
    if condition.prepare:
        with changed(nas, condition.before):
            subprocess.run([*LOOPDEPLOY, "rebuild"], check=True, capture_output=True)
    with changed(nas, condition.code), Traffic(ports["auth"], rate=20, kept=2) as auth:
        with Traffic(ports["api"], streams=condition.streams, token=token) as api:
            WAYS[way](nas)
    stays = api.failed + api.kept_failed if condition.stays else 0
    return api.outage, auth.failed + auth.kept_failed + stays


class Condition(NamedTuple):
    """What is replaced, by what, and who is connected meanwhile."""

    name: str
    code: str
    streams: int = 0
    # Whether loop-api is to be as it was committed, or with the code `before`; else it is what the last one left.
    prepare: bool = False
    before: str = ""
    # Whether what serves is to go on, as the same container.
    stays: bool = False


def conditions(run: int) -> list[Condition]:
    """Return what each run measures; code that differs makes a new image."""
    return [
        Condition("idle", f"RUN = {run}", prepare=True),
        Condition("1 stream", f"RUN = {run} + 0.1", streams=1),
        Condition("20 streams", f"RUN = {run} + 0.2", streams=20),
        Condition("deaf to SIGTERM", f"RUN = {run} + 0.3", streams=1, prepare=True, before=DEAF),
        Condition("broken image", f"raise SystemExit({run})", stays=True),
        Condition("nothing changed", "", prepare=True, stays=True),
    ]


def missed(rows: list[Row]) -> Iterator[str]:
    """Return the bounds that the medians miss, as sentences."""
    median = {(way, condition): statistics.median(times) for way, condition, times in rows}
    idle = median[NEW, "idle"]
    bounds = {
        "idle": 1.2 * median[OLD, "idle"],
        "1 stream": idle + 1.5,
        "20 streams": idle + 1.5,
        "deaf to SIGTERM": STOP_TIMEOUT + 1.5,
        # Between two answers there is always a moment.
        "broken image": 0.25,
        "nothing changed": 0.25,
    }
    for condition, bound in bounds.items():
        if median[NEW, condition] > bound:
            yield f"{condition}: {median[NEW, condition]:.2f} s, and the bound is {bound:.2f} s."


def main() -> int:
    """Run the bench and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs, nas = parser.parse_args().runs, Nas()
    require_sshpass()
    token = tokens(nas)["access_token"]
    times: dict[tuple[str, str], list[float]] = {}
    failed = dict.fromkeys(WAYS, 0)
    for run in range(runs):
        for way in WAYS:
            for condition in conditions(run):
                outage, lost = measure(nas, way, condition, token)
                times.setdefault((way, condition.name), []).append(outage)
                failed[way] += lost
                print(f"{condition.name:16} {way:11} {outage:6.2f} s", file=sys.stderr)
    subprocess.run([*LOOPDEPLOY, "rebuild"], check=True, capture_output=True)
    rows = [(way, name, times[way, name]) for name in (condition.name for condition in conditions(0)) for way in WAYS]
    print(f"{'condition':16} {'way':11} {'median':>8} {'worst':>8}")
    for way, name, measured in rows:
        print(f"{name:16} {way:11} {statistics.median(measured):7.2f}s {max(measured):7.2f}s")
    draw(rows, ROOT / "docs" / "outage.png")
    print("failed requests to what stays:", ", ".join(f"{way} {count}" for way, count in failed.items()))
    problems = list(missed(rows))
    if failed[NEW]:
        problems.append("A request to loop-auth, or to a loop-api that was to stay, failed, and none may.")
    print("\n".join(problems) or "Every bound is held.")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
