"""The sign-in and consent pages in headless Chromium, over https as on the NAS; the screenshots are kept in build/."""

from __future__ import annotations

import datetime
import ipaddress
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.auth.conftest import Auth
from tests.services.auth.conftest import free_port
from tests.services.node_tools import node_tools
from tests.services.oauth_client import OAuthClient
from tests.services.oauth_client import Pkce
from tests.services.proxy import Proxy

SCREENSHOTS = Path(__file__).parents[3] / "build" / "screenshots"
LONG_NAME = "Practice client " + "of the Department of Exceedingly Long Names " * 2 + "W" * 12
ALLOWED = ("allow", "wrongPassword", "keyboard")
DENIED = ("deny", "otherPerson", "phone")


@dataclass(frozen=True)
class Visits:
    """What came back to the client from each scenario of pages.mjs."""

    client: OAuthClient
    pkce: Pkce
    outcomes: dict[str, str]

    def answer(self, scenario: str) -> dict[str, str]:
        """Return the parameters with which the browser came back; fail with what went wrong in it."""
        outcome = self.outcomes[scenario]
        assert outcome.startswith(f"{self.client.redirect_uri}?"), outcome
        return dict(httpx.URL(outcome).params)


def certificate(path: Path) -> Path:
    """Write a certificate for 127.0.0.1 with its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    made = builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(made.public_bytes(pem) + private)
    return path


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory, http: httpx.Client) -> Iterator[Visits]:
    """Let Chromium visit loop-auth behind a proxy with a certificate, each scenario as a new browser."""
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing; install it with: apt-get install chromium"
    directory = tmp_path_factory.mktemp("pages")
    auth = Auth(directory, port=free_port())
    with Proxy(lambda _: auth.port, certificate=certificate(directory / "certificate.pem")) as proxy:
        auth.issuer = proxy.url
        auth.start()
        assert auth.command("user", "add", NAME, password=PASSWORD).returncode == 0
        client = OAuthClient(proxy.url, http, auth.base, redirect_uri=f"http://127.0.0.1:{free_port()}/callback")
        client.register().raise_for_status()
        pkce = Pkce()
        urls = {name: public(client, pkce) for name in (*ALLOWED, *DENIED)}
        urls["deny"] = public(client, pkce, scope="vault:read vault:write exec:read")
        urls["badRequest"] = public(client, pkce, redirect_uri="https://evil.example/callback")
        other = OAuthClient(proxy.url, http, auth.base, redirect_uri=client.redirect_uri)
        other.register(client_name=LONG_NAME).raise_for_status()
        urls["phone"] = public(other, pkce)
        yield Visits(client, pkce, visited(chromium, client, urls))
        auth.stop()


def public(client: OAuthClient, pkce: Pkce, **changes: str) -> str:
    """Return an authorization request as a browser sends it: to the public URL."""
    return client.authorize_url(pkce, **changes).replace(client.base, client.issuer, 1)


def visited(chromium: str, client: OAuthClient, urls: dict[str, str]) -> dict[str, str]:
    """Return what pages.mjs says of each scenario."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    given = {
        "chromium": chromium,
        "name": NAME,
        "password": PASSWORD,
        "port": httpx.URL(client.redirect_uri).port,
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


@pytest.mark.parametrize("scenario", ALLOWED)
def test_person_allows(visits: Visits, scenario: str) -> None:
    """The policy on forms lets the browser go on to the client, over http on loopback, and the code is good."""
    answer = visits.answer(scenario)
    assert answer["iss"] == visits.client.issuer and answer["state"] == "practice-state"
    assert visits.client.redeem(answer["code"], visits.pkce).status_code == 200


@pytest.mark.parametrize("scenario", DENIED)
def test_person_does_not_allow(visits: Visits, scenario: str) -> None:
    """The client is told so, and by whom."""
    answer = visits.answer(scenario)
    assert answer["error"] == "access_denied" and answer["iss"] == visits.client.issuer
    assert "code" not in answer


def test_browser_is_not_sent_where_nobody_registered(visits: Visits) -> None:
    """It stays on a page that says so."""
    assert visits.outcomes["badRequest"].startswith(f"{visits.client.issuer}/authorize?")
