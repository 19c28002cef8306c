"""oauth4webapi as a strict client, with a person before it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.services.node_tools import node_tools
from tests.services.oauth_client import Browser
from tests.services.site import Site

PROVEN = """\
RFC 8414 metadata
RFC 7591 registration
RFC 9207 issuer in a denial
RFC 9207 issuer in an answer
RFC 6749 code, RFC 7636 verifier, RFC 9068 access token
RFC 6749 refresh, rotation and replay
RFC 7009 revocation
"""


def judged_strictly(site: Site, http: httpx.Client, name: str, password: str, *options: str) -> tuple[str, int]:
    """Return what strict.mjs, with ``options``, has held to its RFC at ``site``, and its exit code."""
    environment, issuer = {**node_tools(), **site.variables}, site.url
    actions = iter(["deny", "allow", "allow"])
    output = ""
    command = ["node", "strict.mjs", issuer, f"{issuer}/mcp", *options]
    with running(command, environment["NODE_TOOLS"], environment) as process:
        assert process.stdin and process.stdout
        for line in process.stdout:
            if line.startswith(f"{issuer}/authorize"):
                sent_to = Browser(http).decide(line.strip(), name, password, next(actions)).headers["location"]
                process.stdin.write(f"{sent_to}\n")
            else:
                output += line
        process.wait(timeout=20)
    return output, process.returncode


@contextmanager
def running(command: list[str], directory: str | Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a suite, with both its outputs in one; end it when the test does."""
    with subprocess.Popen(
        command, cwd=directory, env=environment, text=True, bufsize=1,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
