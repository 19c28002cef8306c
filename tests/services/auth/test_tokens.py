"""/token and /revoke: what is refused, and what a replay costs."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.auth.conftest import Auth
from tests.services.oauth_client import OAuthClient
from tests.services.oauth_client import Pkce


@pytest.fixture(scope="module")
def shared(auth: Auth, http: httpx.Client) -> OAuthClient:
    """Return a client for tests that change nothing."""
    client = auth.client(http)
    client.register()
    return client


def require(answer: httpx.Response, status: int, error: str) -> None:
    """An error of RFC 6749, section 5.2, that nobody keeps."""
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"


def test_a_wrong_or_missing_verifier_is_refused_and_spoils_nothing(client: OAuthClient) -> None:
    """PKCE (RFC 7636, section 4.6); and redirect URIs, resources and clients that are not the code's."""
    pkce = Pkce()
    code = client.code(NAME, PASSWORD, pkce)
    require(client.redeem(code, Pkce()), 400, "invalid_grant")
    require(client.redeem(code, pkce, code_verifier=None), 400, "invalid_request")
    require(client.redeem(code, pkce, code_verifier="short"), 400, "invalid_request")
    require(client.redeem(code, pkce, redirect_uri="http://127.0.0.1:1/oauth/callback"), 400, "invalid_grant")
    require(client.redeem(code, pkce, redirect_uri=None), 400, "invalid_grant")
    require(client.redeem(code, pkce, resource="https://evil.example/mcp"), 400, "invalid_target")
    thief = OAuthClient(client.issuer, client.http, headers=client.headers)
    thief.register()
    require(thief.redeem(code, pkce), 400, "invalid_grant")
    assert client.redeem(code, pkce, resource=None).status_code == 200


def test_a_code_that_comes_twice_revokes_what_it_gave(client: OAuthClient) -> None:
    """RFC 6749, section 4.1.2; also a while and a refresh later."""
    pkce = Pkce()
    code = client.code(NAME, PASSWORD, pkce)
    tokens = client.redeem(code, pkce).json()
    newer = client.refresh(tokens["refresh_token"]).json()
    require(client.redeem(code, pkce), 400, "invalid_grant")
    require(client.refresh(newer["refresh_token"]), 400, "invalid_grant")


def test_a_code_expires(auth: Auth, client: OAuthClient) -> None:
    """Within a minute."""
    pkce = Pkce()
    code = client.code(NAME, PASSWORD, pkce)
    with sqlite3.connect(auth.database) as database:
        (left,) = database.execute("SELECT max(expires_at) FROM codes").fetchone()
        assert left <= time.time() + 60
        database.execute("UPDATE codes SET expires_at = ?", [int(time.time())])
    database.close()
    require(client.redeem(code, pkce), 400, "invalid_grant")


def test_refresh_tokens_rotate_and_a_reused_one_revokes_its_family(client: OAuthClient) -> None:
    """Whoever of the two is the thief: both must sign in again; another sign-in is untouched."""
    other = client.connect(NAME, PASSWORD)
    first = client.connect(NAME, PASSWORD)
    second = client.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    third = client.refresh(second["refresh_token"]).json()
    require(client.refresh(first["refresh_token"]), 400, "invalid_grant")
    require(client.refresh(third["refresh_token"]), 400, "invalid_grant")
    assert client.refresh(other["refresh_token"]).status_code == 200


def test_of_refreshes_at_once_one_wins(client: OAuthClient) -> None:
    """There is never a second valid successor."""
    token = client.connect(NAME, PASSWORD)["refresh_token"]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: client.refresh(token), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7


def test_a_refresh_keeps_resource_and_scope(client: OAuthClient) -> None:
    """It may ask for less, never for more, and for no other resource; a refusal does not use the token up."""
    token = client.connect(NAME, PASSWORD)["refresh_token"]
    require(client.refresh(token, resource="https://evil.example/mcp"), 400, "invalid_target")
    require(client.refresh(token, scope="vault:read exec:read"), 400, "invalid_scope")
    thief = OAuthClient(client.issuer, client.http, headers=client.headers)
    thief.register()
    require(thief.refresh(token), 400, "invalid_grant")
    less = client.refresh(token, scope="vault:read", resource=client.resource).json()
    assert less["scope"] == "vault:read"
    assert client.refresh(less["refresh_token"]).json()["scope"] == "vault:read vault:write"


def test_a_refresh_may_repeat_what_was_asked_for_at_first(client: OAuthClient) -> None:
    """Also offline_access, which asks for what every client has; it adds nothing and takes nothing away."""
    asked = "vault:read offline_access"
    tokens = client.connect(NAME, PASSWORD, scope=asked)
    for scope in (asked, "vault:read  vault:read", "offline_access"):
        answer = client.refresh(tokens["refresh_token"], scope=scope)
        assert answer.status_code == 200, answer.text
        tokens = answer.json()
        assert tokens["scope"] == "vault:read"
    require(client.refresh(tokens["refresh_token"], scope=f"{asked} vault:write"), 400, "invalid_scope")


def test_a_grant_for_another_resource_gives_nothing_for_this_one(auth: Auth, client: OAuthClient) -> None:
    """As after the service moved to another URL: the person is asked anew (RFC 8707, section 2)."""
    pkce = Pkce()
    token, code = client.connect(NAME, PASSWORD)["refresh_token"], client.code(NAME, PASSWORD, pkce)

    def move(resource: str) -> None:
        with sqlite3.connect(auth.database) as database:
            database.execute("UPDATE grants SET resource = ? WHERE client_id = ?", [resource, client.client_id])
        database.close()

    move("https://old.example/mcp")
    require(client.refresh(token), 400, "invalid_grant")
    require(client.redeem(code, pkce), 400, "invalid_grant")
    move(client.resource)
    assert client.refresh(token).status_code == 200


@pytest.mark.parametrize("blank", [" ", "   "])
def test_a_blank_scope_asks_for_nothing_more(client: OAuthClient, blank: str) -> None:
    """It is as good as none: who allowed reading alone gives reading alone."""
    tokens = client.connect(NAME, PASSWORD, scope="vault:read")
    assert tokens["scope"] == "vault:read"
    again = client.refresh(tokens["refresh_token"], scope=blank).json()
    assert again["scope"] == "vault:read"


def test_no_default_is_added_to_what_was_allowed(auth: Auth, client: OAuthClient) -> None:
    """Whatever a grant holds, even nothing, is all that a refresh gives."""
    token = client.connect(NAME, PASSWORD)["refresh_token"]
    with sqlite3.connect(auth.database) as database:
        database.execute("UPDATE grants SET scope = '' WHERE client_id = ?", [client.client_id])
    database.close()
    assert "scope" not in client.refresh(token).json()


def test_a_refresh_token_expires(auth: Auth, client: OAuthClient) -> None:
    """After three access tokens' lives, 90 days here."""
    token = client.connect(NAME, PASSWORD)["refresh_token"]
    with sqlite3.connect(auth.database) as database:
        (end,) = database.execute("SELECT max(expires_at) FROM refresh_tokens").fetchone()
        assert abs(end - time.time() - 90 * 86400) < 60
        database.execute("UPDATE refresh_tokens SET expires_at = ? WHERE used_at IS NULL", [int(time.time())])
    database.close()
    require(client.refresh(token), 400, "invalid_grant")


@pytest.mark.parametrize("path", ["/token", "/revoke"])
def test_an_unknown_client_is_told_so_with_401(shared: OAuthClient, path: str) -> None:
    """Clients forget their registration then and register anew."""
    form = {"grant_type": "refresh_token", "refresh_token": "x", "token": "x"}
    for changes in ({"client_id": "nobody"}, {"client_id": None}, {"client_id": "nobody", "client_secret": "x"}):
        answer = shared.post(path, **{**form, **changes})
        require(answer, 401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
    url = "https://claude.ai/client.json"
    require(shared.post(path, **{**form, "client_id": url}), 401, "invalid_client")


@pytest.mark.parametrize("header", ["Basic", "Basic !", "Basic /w==", "Basic Og==", "basic bm9ib2R5Ong=", "Bearer x"])
def test_a_broken_authorization_header_is_an_unknown_client(shared: OAuthClient, header: str) -> None:
    """Never an error of the server."""
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    answer = shared.http.post(shared.url("/token"), data=form, headers={"Authorization": header})
    require(answer, 401, "invalid_client")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": ""}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "nonsense"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "nonsense"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "ä"}, "invalid_request"),
        ({"grant_type": '"\\'}, "invalid_request"),
    ],
)
def test_a_malformed_request_gets_the_code_of_the_standard(
    shared: OAuthClient, changes: dict[str, str | None], error: str
) -> None:
    """RFC 6749, section 5.2."""
    require(shared.token(**changes), 400, error)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"grant_type=refresh_token&grant_type=refresh_token", "application/x-www-form-urlencoded", 400),
        (b"grant_type=%ff", "application/x-www-form-urlencoded", 400),
        (b"\xff\x00", "application/x-www-form-urlencoded; charset=utf-8", 400),
        (b"a=1&" * 60, "application/x-www-form-urlencoded", 400),
        (b'{"grant_type": "refresh_token"}', "application/json", 400),
        (b"", "", 400),
        (b"a" * 20_000, "application/x-www-form-urlencoded", 413),
    ],
)
def test_a_body_that_is_no_form_is_refused(shared: OAuthClient, content: bytes, kind: str, status: int) -> None:
    """Twice the same parameter too."""
    answer = shared.http.post(shared.url("/token"), content=content, headers={"Content-Type": kind})
    require(answer, status, "invalid_request")


def test_tokens_are_not_to_be_kept_on_the_way(client: OAuthClient) -> None:
    """RFC 6749, section 5.1."""
    pkce = Pkce()
    answer = client.redeem(client.code(NAME, PASSWORD, pkce), pkce)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"


def test_revoking_a_refresh_token_ends_its_family(client: OAuthClient) -> None:
    """RFC 7009: also by a used one; an unknown one is as good as revoked; a hint is only a hint."""
    first = client.connect(NAME, PASSWORD)
    second = client.refresh(first["refresh_token"]).json()
    thief = OAuthClient(client.issuer, client.http, headers=client.headers)
    thief.register()
    require(thief.post("/revoke", token=second["refresh_token"]), 400, "invalid_grant")
    answer = client.post("/revoke", token=second["refresh_token"], token_type_hint="access_token")
    assert answer.status_code == 200
    require(client.refresh(second["refresh_token"]), 400, "invalid_grant")
    assert client.post("/revoke", token="nonsense").status_code == 200
    require(client.post("/revoke"), 400, "invalid_request")
    require(client.post("/revoke", token=first["access_token"]), 400, "unsupported_token_type")


def test_nothing_secret_is_stored_or_logged(auth: Auth, client: OAuthClient) -> None:
    """Hashes only; the log names clients and users."""
    client.register(token_endpoint_auth_method="client_secret_post")
    pkce = Pkce()
    code = client.code(NAME, PASSWORD, pkce)
    tokens = client.redeem(code, pkce).json()
    client.refresh(tokens["refresh_token"])
    client.http.get(client.url(f"/token?refresh_token={tokens['refresh_token']}"))
    stored = b"".join(file.read_bytes() for file in auth.directory.glob("oauth.db*")) + auth.log.encode()
    secrets = [PASSWORD, code, tokens["refresh_token"], tokens["access_token"], client.client_secret, pkce.verifier]
    assert [secret for secret in secrets if secret.encode() in stored] == []
    assert f"{NAME} allowed the client {client.client_id}: vault:read vault:write." in auth.log
