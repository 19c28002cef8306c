"""Under which names loop-api answers, and whose pages may call it."""

from __future__ import annotations

import socket

import pytest

from tests.services.api.issuer import ISSUER
from tests.services.api.issuer import Issuer
from tests.services.api.service import Client
from tests.services.api.service import Service

PUBLIC = ISSUER.removeprefix("https://")
ANYWHERE = pytest.mark.parametrize("path", ["/mcp", "/api/notes", "/health", "/.well-known/oauth-protected-resource"])


@pytest.mark.parametrize("host", [PUBLIC, PUBLIC.upper(), f"{PUBLIC}:443", "127.0.0.1", "localhost:8081", "[::1]:8081"])
def test_own_names_are_served(client: Client, host: str) -> None:
    """The public one, and loopback for the health check."""
    assert client.get("/health", headers={"Host": host}).status_code == 200


@ANYWHERE
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        f"{PUBLIC}.evil.example",
        f"evil.example.{PUBLIC}",
        f"{PUBLIC}:8443",
        "127.0.0.1.evil.example",
        "localhost.evil.example:8081",
        f"user@{PUBLIC}",
        f"{PUBLIC}:99999",
        f"{PUBLIC}:x",
        "127.0.0.1:8081/evil",
        "[::1",
        "",
    ],
)
def test_foreign_host_gets_421(client: Client, host: str, path: str) -> None:
    """A name that was rebound to our address is not ours (DNS rebinding)."""
    response = client.get(path, headers={"Host": host})
    assert response.status_code == 421
    assert response.json()["error"] == "bad_host"


def test_two_hosts_get_421_or_400(service: Service) -> None:
    """A proxy and we might each believe another one."""
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        connection.sendall(f"GET /health HTTP/1.1\r\nHost: {PUBLIC}\r\nHost: evil.example\r\n\r\n".encode())
        assert connection.recv(100).split()[1] in (b"421", b"400")


@ANYWHERE
@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", f"{ISSUER}.evil.example", f"http://{PUBLIC}", f"{ISSUER}:8443", "null", f"{ISSUER}/x", ""],
)
def test_foreign_origin_gets_403(client: Client, origin: str, path: str) -> None:
    """Whatever the page says with our token."""
    response = client.get(path, headers={"Origin": origin})
    assert response.status_code == 403
    assert response.json()["error"] == "bad_origin"


@pytest.mark.parametrize("origin", [ISSUER, "http://localhost:6274", "http://127.0.0.1:6274"])
def test_own_origin_may_read_the_answer(service: Service, issuer: Issuer, origin: str) -> None:
    """Inspector's web page is on loopback; it needs the challenge as well as the answer."""
    with service.client() as stranger:
        asked = stranger.options(
            "/mcp",
            headers={
                "Origin": origin,
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization,content-type,mcp-protocol-version",
            },
        )
        assert asked.status_code == 200 and asked.headers["access-control-allow-origin"] == "*"
        refused = stranger.post("/mcp", headers={"Origin": origin})
    assert refused.status_code == 401
    assert "WWW-Authenticate" in refused.headers["access-control-expose-headers"]
    with service.client(issuer.token()) as client:
        client.headers["Origin"] = origin
        assert client.rpc("tools/list").headers["access-control-allow-origin"] == "*"
