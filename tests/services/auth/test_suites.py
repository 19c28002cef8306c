"""Suites that others wrote: oauth4webapi as a strict client, and MCP's conformance for authorization servers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.auth.conftest import Auth
from tests.services.auth.conftest import free_port
from tests.services.node_tools import node_tools
from tests.services.oauth_client import Browser
from tests.services.oauth_client import OAuthClient

PROVEN = """\
RFC 8414 metadata
RFC 7591 registration
RFC 9207 issuer in a denial
RFC 9207 issuer in an answer
RFC 6749 code, RFC 7636 verifier, RFC 9068 access token
RFC 6749 refresh, rotation and replay
RFC 7009 revocation
"""


def opened(browser: Browser, url: str, action: str) -> str:
    """Do what a person does with a URL that a program opens; return where the browser is sent."""
    location: str = browser.press(browser.sign_in(url, NAME, PASSWORD), action).headers["location"]
    return location


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


def test_a_strict_client_accepts_every_answer(auth: Auth, http: httpx.Client) -> None:
    """Each line says what oauth4webapi has held to its RFC."""
    environment = node_tools()
    actions = iter(["deny", "allow", "allow"])
    command = ["node", "strict.mjs", auth.issuer, f"{auth.issuer}/mcp"]
    output = ""
    with running(command, environment["NODE_TOOLS"], environment) as process:
        assert process.stdin and process.stdout
        for line in process.stdout:
            if line.startswith(f"{auth.issuer}/authorize"):
                process.stdin.write(opened(Browser(http), line.strip(), next(actions)) + "\n")
            else:
                output += line
        process.wait(timeout=20)
    assert (output, process.returncode) == (PROVEN, 0)


def test_mcp_conformance_for_authorization_servers(auth: Auth, client: OAuthClient, tmp_path: Path) -> None:
    """Its scenarios: metadata, and the code grant with iss, state and no-store."""
    environment = node_tools()
    port = free_port()
    client.register(redirect_uris=[f"http://127.0.0.1:{port}/callback"])
    command = ["conformance", "authorization", "--url", auth.issuer, "--client-id", client.client_id]
    command += ["--resource", client.resource, "-p", str(port)]
    output = ""
    with running(command, tmp_path, environment) as process:
        assert process.stdout
        for line in process.stdout:
            output += line
            if found := re.search(rf"{auth.issuer}/authorize\S+", line):
                client.http.get(opened(client.browser(), found[0], "allow"))
        process.wait(timeout=20)
    assert process.returncode == 0, output
    assert "Total: 2 passed, 0 failed" in output, output
