"""Measure both services in their containers on the lab, through its reverse proxy, over a vault of 5,000 notes.

Eight clients at once make each kind of call 10,000 times; then the memory of both containers is read. The clients run
on the same machine and take their share of it. Exits 1 when a container has more than its bound. The notes are
removed in the end, whatever happened. The services must be deployed: `loopdeploy lab demo`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.services import NOTES
from bench.services import fill
from bench.services import report
from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import DOCKER
from tests.lab.conftest import LAB
from tests.lab.conftest import Nas
from tests.lab.sign_in import make_user
from tests.lab.sign_in import public_url
from tests.lab.sign_in import trust
from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.oauth_client import OAuthClient

KINDS = ["verify", "read", "search", "search_rare", "refresh"]
# MiB of memory that a container may have after all calls.
BOUNDS = {"loop-api": 150, "loop-auth": 100}
# Seconds for the index to take the notes in; then it must look once more, as they were new when it looked first.
PATIENCE, AGAIN = 120, 5


@contextmanager
def filled(nas: Nas, http: httpx.Client, token: str) -> Iterator[None]:
    """Let the vault have the notes for a while, and the index too."""
    with tempfile.TemporaryDirectory() as directory:
        fill(Path(directory), NOTES)
        tar = ["tar", "--create", "--owner=0", "--group=0", "--directory", directory, "bench"]
        packed = subprocess.run(tar, check=True, capture_output=True).stdout
    try:
        unpack = ["docker", "exec", "--interactive", LAB, "tar", "--extract", "--directory", CHECKOUT]
        subprocess.run(unpack, check=True, input=packed)
        wait_for_index(http, token)
        yield
    finally:
        nas.run("rm", "-rf", f"{CHECKOUT}/bench")


def wait_for_index(http: httpx.Client, token: str) -> None:
    """Return when loop-api lists every note and has looked at them for good."""
    deadline = time.monotonic() + PATIENCE
    while listed(http, token) < NOTES:
        if time.monotonic() > deadline:
            raise SystemExit(f"loop-api does not list {NOTES} notes within {PATIENCE} s.")
        time.sleep(1)
    time.sleep(AGAIN)
    listed(http, token)


def listed(http: httpx.Client, token: str) -> int:
    """Return how many notes of the bench loop-api lists."""
    headers = {"Authorization": f"Bearer {token}"}
    count, after = 0, ""
    while True:
        query: dict[str, str | int] = {"folder": "bench", "after": after, "limit": 1000}
        page = http.get("/api/notes", params=query, headers=headers).raise_for_status().json()
        count += len(page["notes"])
        if not (after := page["next_after"] or ""):
            return count


@contextmanager
def signed_in(http: httpx.Client, count: int) -> Iterator[tuple[list[tuple[str, str]], str]]:
    """Give so many sign-ins, each with the id of its client and a refresh token, and an access token."""
    client = OAuthClient(public_url(), http)
    client.person = client.browser()
    given = [client.connect(NAME, PASSWORD) for _ in range(count)]
    try:
        yield [(client.client_id, tokens["refresh_token"]) for tokens in given], given[0]["access_token"]
    finally:
        # All that came of it goes too: loop-auth would remember each of 10,000 used ones for a month.
        for tokens in given:
            client.post("/revoke", token=tokens["refresh_token"])


@contextmanager
def certificate(nas: Nas) -> Iterator[str]:
    """Give the path of the certificate that the lab's reverse proxy shows."""
    with tempfile.NamedTemporaryFile("w", suffix=".crt") as file:
        file.write(nas.run("cat", "/etc/nginx/tls.crt"))
        file.flush()
        yield file.name


def resident(nas: Nas, container: str) -> float:
    """Return the MiB that the processes of a container have in memory."""
    lines = nas.run(DOCKER, "top", container, "-eo", "pid,rss").splitlines()[1:]
    return sum(int(line.split()[1]) for line in lines) / 1024


def missed(memory: dict[str, float]) -> list[str]:
    """Return the bounds that are not held, as sentences."""
    return [
        f"{container} has {memory[container]:.0f} MiB, and the bound is {bound} MiB."
        for container, bound in BOUNDS.items()
        if memory[container] > bound
    ]


def main() -> int:
    """Run the bench and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--calls", type=int, default=10_000, help="of each kind, over all clients")
    options, nas = parser.parse_args(), Nas()
    make_user(nas)
    options.url = public_url()
    with ExitStack() as stack:
        options.ca = stack.enter_context(certificate(nas))
        http = stack.enter_context(httpx.Client(base_url=options.url, verify=trust(nas), timeout=PATIENCE))
        sign_ins, token = stack.enter_context(signed_in(http, options.clients))
        stack.enter_context(filled(nas, http, token))
        os.environ["LOOP_TOKEN"] = token
        for kind in KINDS:
            report(options, kind, sign_ins)
        memory = {container: resident(nas, container) for container in BOUNDS}
    for container, mebibytes in memory.items():
        print(f"{container:<12} {mebibytes:6.0f} MiB resident")
    problems = missed(memory)
    print("\n".join(problems) or "Every bound is held.")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
