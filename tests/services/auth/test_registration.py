"""/register: what is accepted, what is refused, and that a flood does no harm."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

import httpx
import pytest

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.auth.conftest import Auth
from tests.services.auth.conftest import Make
from tests.services.auth.conftest import someone
from tests.services.oauth_client import OAuthClient

CLAUDE = "https://claude.ai/api/mcp/auth_callback"


def test_what_current_clients_send_is_registered(client: OAuthClient) -> None:
    """RFC 7591, section 3.2.1: the answer says what holds, and a public client gets no secret."""
    answer = client.register(
        client_name="Claude",
        redirect_uris=[CLAUDE, "https://claude.com/api/mcp/auth_callback"],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        scope="vault:read",
        client_uri="https://claude.ai",
        token_endpoint_auth_method="none",
        software_id="x",
    )
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["redirect_uris"] == [CLAUDE, "https://claude.com/api/mcp/auth_callback"]
    assert body["grant_types"] == ["authorization_code", "refresh_token"]
    assert body["client_name"] == "Claude"
    assert abs(body["client_id_issued_at"] - time.time()) < 5
    assert "client_secret" not in body


def test_a_client_that_names_no_method_gets_a_secret(client: OAuthClient) -> None:
    """The default of RFC 7591, section 2, is client_secret_basic."""
    url = client.url("/register")
    body = client.http.post(url, json={"redirect_uris": [CLAUDE]}, headers=client.headers).json()
    assert body["token_endpoint_auth_method"] == "client_secret_basic"
    assert len(body["client_secret"]) >= 43
    assert body["client_secret_expires_at"] == 0


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"redirect_uris": CLAUDE}, "invalid_redirect_uri"),
        ({"redirect_uris": [5]}, "invalid_redirect_uri"),
        ({"redirect_uris": [CLAUDE] * 11}, "invalid_redirect_uri"),
        ({"redirect_uris": [CLAUDE, "https://evil.example/"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [CLAUDE, "javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({"grant_types": "authorization_code"}, "invalid_client_metadata"),
        ({"response_types": ["token"]}, "invalid_client_metadata"),
        ({"response_types": {}}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": []}, "invalid_client_metadata"),
        ({"client_name": 5}, "invalid_client_metadata"),
        ({"scope": []}, "invalid_client_metadata"),
    ],
)
def test_wrong_metadata_is_refused(auth: Auth, http: httpx.Client, metadata: dict[str, Any], error: str) -> None:
    """RFC 7591, section 3.2.2."""
    answer = auth.client(http).register(**metadata)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'"x"', 400),
        (b"{", 400),
        (b"\xff", 400),
        (b'{"redirect_uris": ["\\ud800"]}', 400),
        (b'{"client_name": "\\ud800", "redirect_uris": ["https://claude.ai/"]}', 201),
        (b"[" * 10_000, 400),
        (b'{"client_name": "' + b"x" * 20_000 + b'"}', 413),
    ],
)
def test_a_body_that_is_no_metadata_is_refused(auth: Auth, http: httpx.Client, content: bytes, status: int) -> None:
    """Never an error of the server."""
    answer = http.post(f"{auth.base}/register", content=content, headers=someone())
    assert answer.status_code == status


def test_an_address_registers_so_many_clients_an_hour(auth: Auth, http: httpx.Client) -> None:
    """Another address is not held up; what an attacker writes before the proxy's entry does not count."""
    client = auth.client(http)
    address = client.headers["X-Forwarded-For"]
    for number in range(20):
        client.headers = {"X-Forwarded-For": f"192.0.2.{number}, {address}"}
        assert client.register().status_code == 201
    answer = client.register()
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 3600
    assert auth.client(http).register().status_code == 201


def test_unused_clients_go_after_a_day_and_used_ones_stay(make: Make, http: httpx.Client) -> None:
    """A used one goes when its last grant is long over."""
    auth = make().start()
    auth.command("user", "add", NAME, password=PASSWORD)
    used, unused, over = auth.client(http), auth.client(http), auth.client(http)
    tokens = used.connect(NAME, PASSWORD)
    unused.register()
    over.connect(NAME, PASSWORD)
    with sqlite3.connect(auth.database) as database:
        database.execute("UPDATE clients SET created_at = created_at - 86401")
        database.execute("UPDATE clients SET used_at = used_at - 90 * 86400 WHERE used_at IS NOT NULL")
        database.execute("DELETE FROM grants WHERE client_id = ?", [over.client_id])
    database.close()
    auth.client(http).register()
    assert used.refresh(tokens["refresh_token"]).status_code == 200
    assert unused.token(grant_type="refresh_token", refresh_token="x").status_code == 401
    assert over.token(grant_type="refresh_token", refresh_token="x").status_code == 401


def test_a_flood_from_everywhere_does_not_keep_the_owner_out(make: Make, http: httpx.Client) -> None:
    """Beyond the cap an old unused client makes room; while all are new, registration waits."""
    auth = make().start()
    auth.client(http).register()
    with sqlite3.connect(auth.database) as database:
        now = int(time.time())
        rows = [(f"flood-{number}", "x", "[]", None, "none", now, None) for number in range(499)]
        database.executemany("INSERT INTO clients VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    answer = auth.client(http).register()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "900")
    with database:
        database.execute("UPDATE clients SET created_at = created_at - 901 WHERE id = 'flood-7'")
    assert auth.client(http).register().status_code == 201
    assert auth.client(http).register().status_code == 429
    assert database.execute("SELECT count(*) FROM clients").fetchone() == (500,)
    database.close()
