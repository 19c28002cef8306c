"""Chromium on the sign-in and consent pages, each scenario as a new browser; the screenshots are kept in build/."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.auth.conftest import free_port
from tests.services.node_tools import node_tools
from tests.services.oauth_client import OAuthClient
from tests.services.oauth_client import Pkce

SCREENSHOTS = Path(__file__).parents[3] / "build" / "screenshots"
LONG_NAME = "Practice client " + "of the Department of Exceedingly Long Names " * 2 + "W" * 12
ALLOWED = ("allow", "wrongPassword", "keyboard")
DENIED = ("deny", "otherPerson", "phone")
#: To a client that sends the browser on to another address, as its code or the refusal came.
ONWARD = ("allowOnward", "cancelOnward")


@dataclass(frozen=True)
class Visits:
    """What came back to the client from each scenario of pages.mjs."""

    client: OAuthClient
    pkce: Pkce
    onward: str
    outcomes: dict[str, str]

    def answer(self, scenario: str) -> dict[str, str]:
        """Return the parameters with which the browser came back; fail with what went wrong in it."""
        outcome = self.outcomes[scenario]
        expected = self.onward if scenario in ONWARD else self.client.redirect_uri
        assert outcome.startswith(f"{expected}?"), outcome
        return dict(httpx.URL(outcome).params)


def visit_pages(issuer: str, http: httpx.Client, base: str) -> Visits:
    """Let Chromium visit ``issuer``, where the client itself reaches ``base``; no authority need vouch for it."""
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing; install it with: apt-get install chromium"
    client = OAuthClient(issuer, http, base, redirect_uri=f"http://127.0.0.1:{free_port()}/callback")
    onward = httpx.URL(client.redirect_uri).copy_with(path="/onward")
    client.register(redirect_uris=[client.redirect_uri, str(onward)]).raise_for_status()
    pkce = Pkce()
    urls = {name: _public(client, pkce, redirect_uri=str(onward)) for name in ONWARD}
    urls |= {name: _public(client, pkce) for name in (*ALLOWED, *DENIED)}
    urls["deny"] = _public(client, pkce, scope="vault:read vault:write exec:read")
    urls["badRequest"] = _public(client, pkce, redirect_uri="https://evil.example/callback")
    other = OAuthClient(issuer, http, base, redirect_uri=client.redirect_uri)
    other.register(client_name=LONG_NAME).raise_for_status()
    urls["phone"] = _public(other, pkce)
    there = onward.copy_with(port=free_port())
    return Visits(client, pkce, str(there), _visited(chromium, client, urls, there.port))


def _public(client: OAuthClient, pkce: Pkce, **changes: str) -> str:
    """Return an authorization request as a browser sends it: to the public URL."""
    return client.authorize_url(pkce, **changes).replace(client.base, client.issuer, 1)


def _visited(chromium: str, client: OAuthClient, urls: dict[str, str], onward: int | None) -> dict[str, str]:
    """Return what pages.mjs says of each scenario."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    given = {
        "chromium": chromium,
        "name": NAME,
        "password": PASSWORD,
        "port": httpx.URL(client.redirect_uri).port,
        "onward": onward,
        "screenshots": str(SCREENSHOTS),
        "urls": urls,
    }
    environment = node_tools()
    ended = subprocess.run(
        ["node", "pages.mjs"], cwd=environment["NODE_TOOLS"], env=environment,
        input=json.dumps(given), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return dict(json.loads(ended.stdout))
