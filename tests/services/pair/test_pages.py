"""The sign-in and consent pages in headless Chromium, over https as on the NAS."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator
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
from tests.services.pair.pages import ALLOWED
from tests.services.pair.pages import DENIED
from tests.services.pair.pages import Visits
from tests.services.pair.pages import visit_pages
from tests.services.proxy import Proxy


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
    """Let Chromium visit loop-auth behind a proxy with a certificate."""
    directory = tmp_path_factory.mktemp("pages")
    auth = Auth(directory, port=free_port())
    with Proxy(lambda _: auth.port, certificate=certificate(directory / "certificate.pem")) as proxy:
        auth.issuer = proxy.url
        auth.start()
        assert auth.command("user", "add", NAME, password=PASSWORD).returncode == 0
        yield visit_pages(proxy.url, http, auth.base)
        auth.stop()


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


def test_client_may_send_the_browser_on(visits: Visits) -> None:
    """To another host, or to an app of its own scheme; Chromium holds all of that to a policy on forms."""
    redirect_uri = str(httpx.URL(visits.client.redirect_uri).copy_with(path="/onward"))
    code = visits.answer("allowOnward")["code"]
    assert visits.client.redeem(code, visits.pkce, redirect_uri=redirect_uri).status_code == 200
    assert visits.answer("cancelOnward")["error"] == "access_denied"


def test_browser_is_not_sent_where_nobody_registered(visits: Visits) -> None:
    """It stays on a page that says so."""
    assert visits.outcomes["badRequest"].startswith(f"{visits.client.issuer}/authorize?")
