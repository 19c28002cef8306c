"""Client ID metadata documents: what is fetched, what never is, and the flow with one."""

from __future__ import annotations

import asyncio
import datetime
import json
import ssl
import threading
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from api.oauth import client_documents
from api.oauth.client_documents import ClientDocuments
from api.oauth.client_documents import DocumentError
from api.oauth.client_documents import PinnedConnection
from api.oauth.main import create_app
from api.oauth.settings import read_settings
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.auth.conftest import Auth
from tests.services.auth.conftest import Make
from tests.services.oauth_client import OAuthClient
from tests.services.oauth_client import Pkce
from tests.services.oauth_client import redirected

URL = "https://app.example/oauth/client.json"
ADDRESS = "203.0.113.9"
DOCUMENT = {"client_id": URL, "client_name": "App", "redirect_uris": ["http://localhost/callback"]}

Answer = Callable[[BaseHTTPRequestHandler], None]


class Site:
    """app.example, on this machine."""

    def __init__(self, certificate: Path) -> None:
        self.requests = 0
        self.answer: Answer = lambda handler: send(handler, json.dumps(DOCUMENT).encode())
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests += 1
                site.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.trust = ssl.create_default_context(cafile=str(certificate))

    def connect(self, host: str) -> PinnedConnection:
        """Connect as to a public address."""
        return PinnedConnection(host, "127.0.0.1", self.server.server_port, self.trust)


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """Answer."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture(scope="module")
def switched_on(make: Make) -> Auth:
    """Return a running service that reads documents."""
    return make(environment={"OAUTH_CLIENT_ID_METADATA_DOCUMENTS": "on"}).start()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a key and a certificate for app.example."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app.example")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("app.example")]), critical=False)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path_factory.mktemp("site") / "site.pem"
    path.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(pem))
    return path


@pytest.fixture
def site(certificate: Path) -> Iterator[Site]:
    """Give the site, running."""
    site = Site(certificate)
    thread = threading.Thread(target=site.server.serve_forever, args=[0.02])
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()


def test_a_document_describes_a_client_and_is_kept(site: Site) -> None:
    """For ten minutes."""
    documents = ClientDocuments(site.connect)
    client = documents.client(URL, ADDRESS)
    assert (client.id, client.name, client.redirect_uris) == (URL, "App", ("http://localhost/callback",))
    assert documents.client(URL, ADDRESS) == client
    assert site.requests == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": URL + "x"},
        {"client_id": None},
        {"redirect_uris": []},
        {"redirect_uris": None},
        {"redirect_uris": "http://localhost/callback"},
        {"redirect_uris": ["http://localhost/callback", "https://evil.example/"]},
        {"redirect_uris": [5]},
        {"token_endpoint_auth_method": "client_secret_post"},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"client_secret": "x"},
    ],
)
def test_a_document_that_does_not_fit_is_refused_and_not_kept(site: Site, changes: dict[str, object]) -> None:
    """The next try fetches it again."""
    documents = ClientDocuments(site.connect)
    site.answer = lambda handler: send(handler, json.dumps({**DOCUMENT, **changes}).encode())
    with pytest.raises(DocumentError):
        documents.client(URL, ADDRESS)
    site.answer = lambda handler: send(handler, json.dumps(DOCUMENT).encode())
    assert documents.client(URL, ADDRESS).name == "App"


def drip(handler: BaseHTTPRequestHandler, headers: bool = True) -> None:
    """Answer a byte at a time, as whoever wants to hold the service up."""
    if headers:
        send(handler, b"")
    with suppress(OSError):
        for _ in range(50):
            handler.wfile.write(b" ")
            time.sleep(0.1)


def drip_headers(handler: BaseHTTPRequestHandler) -> None:
    """The same before the body."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    drip(handler, headers=False)


@pytest.mark.parametrize(
    "answer",
    [
        lambda handler: send(handler, b"", 404),
        lambda handler: send(handler, b"", 302, Location="https://app.example/other.json"),
        lambda handler: send(handler, b"", 301, Location="http://127.0.0.1/"),
        lambda handler: send(handler, b"[]"),
        lambda handler: send(handler, b"<html>"),
        lambda handler: send(handler, b"\xff"),
        lambda handler: send(handler, json.dumps({**DOCUMENT, "more": "x" * 20_000}).encode()),
        lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"),
        lambda handler: None,
        drip,
        drip_headers,
    ],
)
def test_a_bad_answer_is_a_refusal_in_time(site: Site, monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    """No redirect is followed."""
    monkeypatch.setattr(client_documents, "TIME", 1.0)
    site.answer = answer
    began = time.monotonic()
    with pytest.raises(DocumentError):
        ClientDocuments(site.connect).client(URL, ADDRESS)
    assert time.monotonic() - began < 3
    assert site.requests == 1


def test_the_certificate_must_be_the_names(site: Site) -> None:
    """The pinned address does not loosen that."""
    with pytest.raises(DocumentError):
        ClientDocuments(site.connect).client(URL.replace("app.example", "other.example"), ADDRESS)
    assert site.requests == 0


def test_fetches_are_rare(site: Site) -> None:
    """Whoever opens /authorize cannot make this service a hammer, nor keep others from it."""
    site.answer = lambda handler: send(handler, b"", 404)
    documents = ClientDocuments(site.connect)
    for number in range(11):
        with pytest.raises(DocumentError):
            documents.client(f"{URL}?{number}", ADDRESS)
    assert site.requests == 10
    for number in range(60):
        with pytest.raises(DocumentError):
            documents.client(f"{URL}?{number}", f"192.0.2.{number}")
    assert site.requests == 60


def test_what_is_no_url_of_a_document_costs_nobody_a_fetch(site: Site) -> None:
    """A flood of nonsense is refused before it is counted."""
    documents = ClientDocuments(site.connect)
    for _ in range(100):
        with pytest.raises(DocumentError, match="no https URL"):
            documents.client("https://app.example", ADDRESS)
    assert documents.client(URL, ADDRESS).name == "App"


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example/client.json",
        "https://app.example",
        "https://app.example/",
        "https://app.example:8443/client.json",
        "https://user@app.example/client.json",
        "https://app.example/client.json#x",
        "https://app.example/../client.json",
        "https://app.example/%2E%2E/client.json",
        "https://app.example/a b",
        "https://[::1]/client.json",
        "https://app.example\\@127.0.0.1/client.json",
        "https://app.example/" + "x" * 500,
        "https://app.example/x\r\nHost: y",
    ],
)
def test_an_id_that_is_no_plain_https_url_is_never_fetched(site: Site, url: str) -> None:
    """Only port 443, a path, and nothing hidden."""
    with pytest.raises(DocumentError):
        ClientDocuments(site.connect).client(url, ADDRESS)
    assert site.requests == 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "2130706433", "a..b", "a" * 64 + ".example"])
def test_a_running_service_fetches_nothing_from_itself(switched_on: Auth, http: httpx.Client, host: str) -> None:
    """The person is told, and nobody is redirected."""
    app = switched_on.client(http)
    app.client_id = f"https://{host}/client.json"
    answer = app.browser().get(app.authorize_url(Pkce()))
    assert answer.status_code == 400
    assert "document" in answer.text
    assert "Traceback" not in switched_on.log


def test_the_metadata_says_that_documents_are_read(switched_on: Auth, http: httpx.Client) -> None:
    """Clients choose this way then; /token knows such a client without a fetch, and that it has no such token."""
    metadata = http.get(f"{switched_on.base}/.well-known/oauth-authorization-server").json()
    assert metadata["client_id_metadata_document_supported"] is True
    app = switched_on.client(http)
    app.client_id = "https://127.0.0.1/client.json"
    assert app.refresh("nonsense").json()["error"] == "invalid_grant"


def test_a_client_with_a_document_gets_its_tokens(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the consent page, which names the document's host, to a refresh; one fetch is enough."""
    monkeypatch.setattr("os.umask", lambda mask: 0)
    auth = Auth(tmp_path, "http://127.0.0.1", environment={"OAUTH_CLIENT_ID_METADATA_DOCUMENTS": "on"})
    auth.command("user", "add", NAME, password=PASSWORD)
    service = create_app(read_settings(auth.variables()))
    service.state.service.documents = ClientDocuments(site.connect)
    with httpx.Client(transport=Served(service)) as http:
        app = OAuthClient(auth.issuer, http, client_id=URL, redirect_uri="http://localhost:8000/callback")
        pkce = Pkce()
        browser = app.browser()
        consent = browser.sign_in(app.authorize_url(pkce), NAME, PASSWORD)
        assert "described by <strong>app.example</strong>" in consent.text
        code = redirected(browser.press(consent, "allow"))["code"]
        token = app.redeem(code, pkce).json()["refresh_token"]
        assert app.refresh(token).status_code == 200
    assert site.requests == 1
    service.state.service.database.close()


class Served(httpx.BaseTransport):
    """Hands requests to an application in this process."""

    def __init__(self, app: Starlette) -> None:
        self.asgi = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Run the application until it has answered."""

        async def answer() -> httpx.Response:
            async with httpx.AsyncClient(transport=self.asgi) as http:
                request.stream = httpx.ByteStream(request.read())
                return await http.send(request)

        done = asyncio.run(answer())
        return httpx.Response(done.status_code, headers=done.headers, content=done.content)
