"""Measure loop-api and loop-auth as a client sees them: 8 clients at once, median and p99 of each kind of call.

The token stands in the environment variable LOOP_TOKEN, and the refresh tokens, one a client, in a file: each
refresh gives the next one. Nothing secret stands on the command line. With ``--fill`` a vault is made first.

    LOOP_TOKEN=... python bench/services.py https://127.0.0.1:8443 --ca tls.crt --calls 10000
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import random
import ssl
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.parse import urlsplit

NOTES = 5000
WORDS_OF_A_NOTE = 600
VOCABULARY = 20_000
SYLLABLES = [consonant + vowel for consonant in "bdfghjklmnprstvz" for vowel in ("a", "en", "i", "or", "u")]


def spell(number: int) -> str:
    """Return the word of this number: syllables, so that words share beginnings as those of a language do."""
    syllables = ""
    while True:
        number, syllable = divmod(number, len(SYLLABLES))
        syllables += SYLLABLES[syllable]
        if not number:
            return syllables


def word(rng: random.Random) -> str:
    """Return a word; as in a language the nth is met 1/n times as often as the first (Zipf)."""
    return spell(int(VOCABULARY ** rng.random()))


def fill(vault: Path, count: int) -> None:
    """Write ``count`` notes of about 3 KB below ``vault``/bench."""
    rng = random.Random(1)
    for number in range(count):
        folder = vault / "bench" / str(number % 50)
        folder.mkdir(parents=True, exist_ok=True)
        text = " ".join(word(rng) for _ in range(WORDS_OF_A_NOTE))
        (folder / f"{number}.md").write_text(f"# Note {number}\n\n{text}\n")


class Caller:
    """One client with one connection, and a call that it repeats."""

    def __init__(self, url: str, ca: str | None, seed: int):
        parts = urlsplit(url)
        assert parts.hostname
        self._connection: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=ca)
            self._connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=context, timeout=60)
        else:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        self._token = os.environ.get("LOOP_TOKEN", "")
        self._rng = random.Random(seed)
        self._refresh: dict[str, str] = {}

    def search(self) -> None:
        """Search for two words."""
        self._tool("search", {"query": f"{word(self._rng)} {word(self._rng)}"})

    def search_rare(self) -> None:
        """Search for a word that few notes hold."""
        self._tool("search", {"query": spell(self._rng.randrange(2000, VOCABULARY))})

    def read(self) -> None:
        """Read a note."""
        number = self._rng.randrange(NOTES)
        self._tool("read", {"path": f"bench/{number % 50}/{number}.md"})

    def verify(self) -> None:
        """Ask for what is not there: the token is verified, and nothing else is done."""
        self._call("GET", "/api/nothing", None, {}, 404)

    def ping(self) -> None:
        """Verify the token and go through the MCP SDK."""
        self._rpc("ping", {})

    def refresh(self) -> None:
        """Change a refresh token for new ones."""
        form = urlencode({"grant_type": "refresh_token", **self._refresh})
        answer = self._call("POST", "/token", form, {"Content-Type": "application/x-www-form-urlencoded"})
        self._refresh["refresh_token"] = answer["refresh_token"]

    def signed_in(self, client_id: str, refresh_token: str) -> None:
        """Take a sign-in to refresh."""
        self._refresh = {"client_id": client_id, "refresh_token": refresh_token}

    def _tool(self, name: str, arguments: dict[str, Any]) -> None:
        answer = self._rpc("tools/call", {"name": name, "arguments": arguments})
        assert not answer["result"].get("isError"), answer

    def _rpc(self, method: str, params: dict[str, Any]) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        return self._call("POST", "/mcp", body, headers)

    def _call(self, method: str, path: str, body: str | None, headers: dict[str, str], status: int = 200) -> Any:
        self._connection.request(method, path, body, {**headers, "Authorization": f"Bearer {self._token}"})
        response = self._connection.getresponse()
        answer = response.read()
        assert response.status == status, (response.status, answer)
        return json.loads(answer)


Job = tuple[argparse.Namespace, str, int, int, tuple[str, str] | None]


def measure(job: Job) -> list[float]:
    """Return the seconds of each of one client's calls."""
    options, kind, seed, calls, sign_in = job
    caller = Caller(options.url, options.ca, seed)
    if sign_in:
        caller.signed_in(*sign_in)
    call: Callable[[], None] = getattr(caller, kind)
    call()
    times = []
    for _ in range(calls):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return times


def report(options: argparse.Namespace, kind: str, sign_ins: list[tuple[str, str]]) -> None:
    """Measure one kind of call with all clients at once and print a line."""
    calls = max(1, options.calls // options.clients)
    jobs: list[Job] = [
        (options, kind, seed, calls, sign_ins[seed] if kind == "refresh" else None) for seed in range(options.clients)
    ]
    started = time.perf_counter()
    with multiprocessing.Pool(options.clients) as pool:
        times = sorted(sum(pool.map(measure, jobs, chunksize=1), []))
    rate = len(times) / (time.perf_counter() - started)
    median, p99 = statistics.median(times), times[int(len(times) * 0.99)]
    print(f"{kind:<12} {len(times):>6} calls  median {median * 1000:7.1f} ms  p99 {p99 * 1000:7.1f} ms  {rate:7.0f}/s")


def resident(pid: int) -> str:
    """Return what a process has in memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return f"{pages * os.sysconf('SC_PAGE_SIZE') / 1024 / 1024:.0f} MiB resident"


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="public URL of the services")
    parser.add_argument("--ca", help="certificate to trust")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--calls", type=int, default=10_000, help="of each kind, over all clients")
    parser.add_argument("--kinds", nargs="+", default=["verify", "ping", "read", "search", "search_rare"])
    parser.add_argument("--sign-ins", type=Path, help="JSON list of [client_id, refresh_token], for the kind refresh")
    parser.add_argument("--pid", type=int, help="tell this process's memory after each kind")
    parser.add_argument("--fill", type=Path, help=f"first write {NOTES} notes into this vault")
    options = parser.parse_args()
    if options.fill:
        fill(options.fill, NOTES)
    sign_ins = json.loads(options.sign_ins.read_text()) if options.sign_ins else []
    for kind in options.kinds:
        report(options, kind, sign_ins)
        if options.pid:
            print(f"{'':<12} {resident(options.pid)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
