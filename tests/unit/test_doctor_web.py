"""The certificate and the routes of a public address, against a real HTTPS server on 127.0.0.1."""

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from ansible.module_utils import loop_doctor_routes
from ansible.module_utils.loop_doctor_routes import ROUTES
from ansible.module_utils.loop_doctor_routes import route_findings
from ansible.module_utils.loop_doctor_tls import tls
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

PORTS = {"loop-auth": 8084, "loop-api": 8082}
# Status, headers and body.
Response = tuple[int, dict[str, str], bytes]
Answers = dict[str, Response]


def as_json(status: int, body: object, **headers: str) -> Response:
    """Return an answer in JSON."""
    return status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode()


NOT_FOUND = as_json(404, {"error": "not_found"})
CHALLENGE = as_json(401, {}, **{"WWW-Authenticate": 'Bearer resource_metadata="x"'})


class Handler(BaseHTTPRequestHandler):
    """Answers what the test lays down for a path."""

    answers: Answers

    def do_GET(self) -> None:
        """Answer."""
        status, headers, body = self.answers.get(self.path, NOT_FOUND)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


class Quiet(ThreadingHTTPServer):
    """Says nothing of a client that only looks at the certificate."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing."""


def certificate(path: Path, days: float, address: str = "127.0.0.1", by: Path | None = None) -> Path:
    """Write a certificate that ends in ``days``, with its key, and return its file; signed by itself or ``by``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, path.name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=100))
        .not_valid_after(now + datetime.timedelta(days=days, minutes=5))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if by is None:
        issuer, issuer_key = name, key
    else:
        issuer = x509.load_pem_x509_certificate(by.read_bytes()).subject
        loaded = serialization.load_pem_private_key(by.read_bytes(), password=None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        issuer_key = loaded
    signed = builder.issuer_name(issuer).sign(issuer_key, hashes.SHA256())
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + secret)
    return path


Serve = Callable[[Path], str]


@pytest.fixture
def answers() -> Answers:
    """Return what is answered; empty at first."""
    return {}


@pytest.fixture
def serve(answers: Answers) -> Iterator[Serve]:
    """Return a function that runs a server with a certificate and returns its address."""
    running: list[Quiet] = []

    def start(file: Path) -> str:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        server = Quiet(("127.0.0.1", 0), type("Answering", (Handler,), {"answers": answers}))
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        running.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"https://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def right(answers: Answers, serve: Serve, tmp_path: Path) -> str:
    """Return the address of a proxy that sends every path to the right service, which answers as the reference does."""
    url = serve(certificate(tmp_path / "tls.pem", 90))
    resource = as_json(200, {"resource": f"{url}/mcp"})
    refusal = as_json(405, {"error": "method_not_allowed"})
    answers.update(
        {
            "/.well-known/oauth-authorization-server": as_json(200, {"issuer": url}),
            "/.well-known/jwks.json": as_json(200, {"keys": [{}]}),
            "/authorize": (400, {"Content-Type": "text/html"}, b"<p>"),
            "/token": refusal,
            "/register": refusal,
            "/revoke": refusal,
            "/.well-known/oauth-protected-resource": resource,
            "/.well-known/oauth-protected-resource/mcp": resource,
            "/health": as_json(200, {"status": "ok", "service": "loop-api"}),
            "/mcp": CHALLENGE,
        }
    )
    return url


def judged(url: str, deployed: bool = True) -> dict[str, tuple[str, str]]:
    """Return of each subject its state and sentence."""
    return {line["subject"]: (line["state"], line["text"]) for line in route_findings(url, PORTS, deployed)}


def test_right_proxy_is_ok(right: str) -> None:
    """Each path by its service; the certificate is its own authority's, which clients refuse."""
    lines = judged(right)
    state, text = lines.pop("TLS")
    assert (state, text.startswith("90 days left, but from no authority")) == ("warning", True)
    assert list(lines) == [path for path, _, _ in ROUTES]
    assert lines == {path: ("ok", service) for path, service, _ in ROUTES}


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        *[(path, NOT_FOUND, "404") for path, _, _ in ROUTES],
        *[(path, (502, {}, b""), "502") for path, _, _ in ROUTES],
        *[(path, (307, {"Location": path + "/"}, b""), "a redirect (307)") for path, _, _ in ROUTES],
        *[(path, CHALLENGE, "") for path, _, _ in ROUTES if path != "/mcp"],
        ("/token", CHALLENGE, "loop-api answers"),
        ("/health", as_json(200, {"service": "loop-auth"}), "loop-auth answers"),
        ("/health", (200, {"Content-Type": "text/html"}, b"<html>"), "200 without JSON"),
        ("/health", as_json(200, ["ok"]), "200 without JSON"),
        ("/.well-known/jwks.json", as_json(200, {"keys": []}), "200 without 'keys'"),
        ("/.well-known/jwks.json", (200, {"Content-Type": "application/json"}, b"{"), "200 without 'keys'"),
        ("/.well-known/oauth-authorization-server", as_json(200, {"issuer": "https://x/"}), "issuer is https://x/"),
    ],
)
def test_path_that_goes_elsewhere_is_told(
    right: str, answers: Answers, path: str, answer: Response, words: str
) -> None:
    """The others stay ok."""
    answers[path] = answer
    lines = judged(right)
    state, text = lines[path]
    assert (state, words in text) == ("failed", True)
    service = dict((path, service) for path, service, _ in ROUTES)[path]
    assert f"send it to {service}, port {PORTS[service]} of the NAS" in text
    assert (f"`loopdeploy logs {service}`" in text) is (answer[0] == 502)
    assert [state for other, (state, _) in lines.items() if other not in (path, "TLS")] == ["ok"] * (len(ROUTES) - 1)


PAGES = [(status, {"Content-Type": "text/html"}, b"<html>") for status in (200, 401, 403)]


@pytest.mark.parametrize("answer", PAGES, ids=lambda answer: str(answer[0]))
@pytest.mark.parametrize("path", [path for path, _, _ in ROUTES])
def test_page_of_something_else_is_no_answer(right: str, answers: Answers, path: str, answer: Response) -> None:
    """DSM's own, or a login page in front of the services."""
    answers[path] = answer
    assert judged(right)[path][0] == "failed"


@pytest.mark.parametrize("path", ["/token", "/register", "/revoke"])
@pytest.mark.parametrize("status", [400, 401])
def test_error_of_oauth_is_an_answer(right: str, answers: Answers, path: str, status: int) -> None:
    """Another version may read the request before its method."""
    answers[path] = as_json(status, {"error": "invalid_client"})
    assert judged(right)[path][0] == "ok"


def test_health_must_name_its_service(right: str, answers: Answers) -> None:
    """Whatever runs on DSM may have a /health."""
    answers["/health"] = as_json(200, {"status": "ok"})
    assert "something that does not name itself answers" in judged(right)["/health"][1]


def test_proxy_that_never_answers_is_told(
    right: str, answers: Answers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After a few seconds; here it hangs up."""
    monkeypatch.setattr(Handler, "do_GET", lambda handler: handler.connection.close())
    state, text = judged(right)["/health"]
    assert (state, text.startswith("no answer (")) == ("failed", True)


def test_nothing_is_asked_of_a_nas_without_services(right: str) -> None:
    """Before the first deployment there is nothing to answer."""
    lines = judged(right, deployed=False)
    assert {state for subject, (state, _) in lines.items() if subject != "TLS"} == {"not asked"}


@pytest.mark.parametrize("url", ["https://127.0.0.1:9", "https://no..name", "https://127.0.0.1:99999"])
def test_address_that_does_not_answer_is_told_once(url: str) -> None:
    """The paths behind it are not asked one by one."""
    lines = judged(url)
    state, text = lines.pop("TLS")
    assert (state, "port forwarding" in text) == ("failed", True)
    assert {state for state, _ in lines.values()} == {"not asked"}


def test_address_in_clear_is_told() -> None:
    """No client accepts it."""
    assert "not https" in tls(urlsplit("http://127.0.0.1:9"))[0][1]


@pytest.mark.parametrize(("days", "state"), [(60, "ok"), (13, "warning")])
def test_trusted_certificate_tells_its_days(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: float, state: str
) -> None:
    """As one of Let's Encrypt's would."""
    authority = certificate(tmp_path / "ca.pem", 900)
    url = serve(certificate(tmp_path / "tls.pem", days, by=authority))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    (found, text), _ = tls(urlsplit(url))
    assert (found, text.partition(":")[0]) == (state, f"{days} days left")


@pytest.mark.parametrize(
    ("days", "address", "state", "words"),
    [
        (825, "127.0.0.1", "warning", "825 days left, but from no authority"),
        (13, "127.0.0.1", "warning", "13 days left, but from no authority"),
        (-1, "127.0.0.1", "failed", "has expired: renew it"),
        (90, "127.0.0.2", "failed", "not for 127.0.0.1"),
    ],
)
def test_certificate_that_clients_refuse_is_told(
    serve: Serve, tmp_path: Path, days: float, address: str, state: str, words: str
) -> None:
    """Signed by itself, too old, or another's."""
    (found, text), answers = tls(urlsplit(serve(certificate(tmp_path / "tls.pem", days, address))))
    assert (found, words in text, answers) == (state, True, True)


@pytest.mark.parametrize("days", [13, 90])
def test_certificate_that_clients_refuse_is_a_fault_of_a_nas_that_they_reach(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: float
) -> None:
    """Only of the practice NAS, which is on this machine alone, it is none."""
    connect = socket.create_connection
    here = serve(certificate(tmp_path / "tls.pem", days, "192.0.2.1"))
    monkeypatch.setattr("socket.create_connection", lambda to, patience: connect(("127.0.0.1", to[1]), patience))
    state, text = tls(urlsplit(here.replace("127.0.0.1", "192.0.2.1")))[0]
    assert (state, text.startswith(f"{days} days left, but from no authority")) == ("failed", True)


def test_certificate_of_an_unknown_authority_tells_its_days(serve: Serve, tmp_path: Path) -> None:
    """It is read though it is not believed."""
    authority = certificate(tmp_path / "ca.pem", 900)
    (state, text), _ = tls(urlsplit(serve(certificate(tmp_path / "tls.pem", 60, by=authority))))
    assert (state, text.startswith("60 days left, but its chain is incomplete or")) == ("warning", True)


def test_no_route_is_asked_with_more_patience_than_an_operator_has() -> None:
    """All paths together, of a proxy that hangs."""
    assert len(ROUTES) * int(loop_doctor_routes.PATIENCE) <= 60


def test_every_answer_is_bounded(right: str, answers: Answers) -> None:
    """A body without an end is not read to its end."""
    answers["/health"] = as_json(200, {"status": "x" * 2**21})
    state, text = judged(right)["/health"]
    assert (state, "200 without JSON" in text) == ("failed", True)
