"""Who gets in: the challenge, and every kind of bad token."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import pytest
from joserfc import jwt

from tests.services.api.issuer import ISSUER
from tests.services.api.issuer import RESOURCE
from tests.services.api.issuer import Issuer
from tests.services.api.issuer import claims
from tests.services.api.issuer import new_key
from tests.services.api.issuer import public
from tests.services.api.service import Client
from tests.services.api.service import Service

METADATA = f'resource_metadata="{ISSUER}/.well-known/oauth-protected-resource/mcp"'
BOTH = pytest.mark.parametrize("path", ["/mcp", "/api/notes"])


def challenge(service: Service, token: str | None, status: int = 401, path: str = "/api/notes") -> str:
    """Return the challenge that ``token`` meets."""
    with service.client(token) as client:
        # Not a GET, which would wait for events if the token were accepted.
        response = client.rpc("tools/list") if path == "/mcp" else client.get(path)
    assert response.status_code == status, response.text
    return response.headers["www-authenticate"]


def b64(data: object) -> str:
    """Return JSON as a JWT's segment."""
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()


@BOTH
def test_no_token_is_told_where_to_sign_in(service: Service, path: str) -> None:
    """And hears of no invalid token, since it sent none."""
    header = challenge(service, None, path=path)
    assert header == f'Bearer scope="vault:read vault:write", {METADATA}'


def test_post_without_token_starts_the_sign_in(service: Service) -> None:
    """Clients look for 401 in the answer to their first POST."""
    with service.client() as client:
        response = client.rpc("initialize")
    assert response.status_code == 401 and METADATA in response.headers["www-authenticate"]


def test_other_schemes_are_no_token(service: Service) -> None:
    """Basic credentials are not judged as a token."""
    with service.client() as client:
        response = client.get("/api/notes", headers={"Authorization": "Basic dXNlcjpwYXNz"})
    assert response.status_code == 401 and "error=" not in response.headers["www-authenticate"]


def test_two_tokens_are_none(service: Service, issuer: Issuer) -> None:
    """A proxy and we might each take another one."""
    with service.client() as client:
        headers = [("Authorization", f"Bearer {issuer.token()}"), ("Authorization", "Bearer x")]
        response = client.get("/api/notes", headers=headers)
    assert response.status_code == 400 and 'error="invalid_request"' in response.headers["www-authenticate"]


@BOTH
@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": f"{ISSUER}/"},
        {"iss": None},
        {"iss": [ISSUER]},
        {"aud": ISSUER},
        {"aud": f"{RESOURCE}/"},
        {"aud": "https://other.example/mcp"},
        {"aud": ["https://other.example/mcp"]},
        {"aud": None},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": True},
        {"iat": None},
        {"sub": None},
        {"sub": 7},
        {"client_id": None},
        {"client_id": 7},
        {"jti": None},
        {"scope": ["vault:read"]},
    ],
    ids=str,
)
def test_wrong_claim_is_refused(service: Service, issuer: Issuer, changes: dict[str, Any], path: str) -> None:
    """Everything but the one claim is right, the signature too."""
    header = challenge(service, issuer.sign(claims(**changes)), path=path)
    assert 'error="invalid_token"' in header and METADATA in header


@BOTH
@pytest.mark.parametrize(("claim", "seconds"), [("exp", -3600), ("nbf", 3600), ("iat", 3600)])
def test_wrong_time_is_refused(service: Service, issuer: Issuer, claim: str, seconds: int, path: str) -> None:
    """An hour is more than two clocks may differ."""
    header = challenge(service, issuer.sign(claims(**{claim: int(time.time()) + seconds})), path=path)
    assert 'error="invalid_token"' in header and METADATA in header


@pytest.mark.parametrize(
    "header",
    [{"typ": "JWT"}, {"typ": None}, {"kid": None}, {"kid": "nobody"}, {"kid": "../key-1"}],
    ids=str,
)
def test_wrong_header_is_refused(service: Service, issuer: Issuer, header: dict[str, Any]) -> None:
    """An ID token, for one, is signed by the same key and has another type."""
    assert 'error="invalid_token"' in challenge(service, issuer.sign(claims(), **header))


def test_foreign_key_under_our_kid_is_refused(service: Service, issuer: Issuer) -> None:
    """The name of a key proves nothing."""
    assert "signature" in challenge(service, issuer.sign(claims(), new_key("key-1")))


def test_key_in_the_header_is_refused(service: Service, issuer: Issuer) -> None:
    """A token does not bring the key that it is judged with."""
    stranger = new_key("stranger")
    token = issuer.sign(claims(), stranger, jwk=public(stranger), kid=None)
    assert 'error="invalid_token"' in challenge(service, token)
    token = issuer.sign(claims(), stranger, jwk=public(stranger), kid="key-1")
    assert 'error="invalid_token"' in challenge(service, token)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
def test_unsigned_token_is_refused(service: Service, algorithm: str) -> None:
    """``alg: none``, in the spellings that have fooled others."""
    head = b64({"alg": algorithm, "typ": "at+jwt", "kid": "key-1"})
    assert 'error="invalid_token"' in challenge(service, f"{head}.{b64(claims())}.")


def test_public_key_as_a_shared_secret_is_refused(service: Service, issuer: Issuer) -> None:
    """HS256 with the public key's text as its secret: everybody knows that text."""
    signed = f"{b64({'alg': 'HS256', 'typ': 'at+jwt', 'kid': 'key-1'})}.{b64(claims())}"
    mac = hmac.digest(issuer.key.as_pem(private=False), signed.encode(), "sha256")
    token = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    assert 'error="invalid_token"' in challenge(service, token)


def test_other_rsa_algorithm_is_refused(service: Service, issuer: Issuer) -> None:
    """RS512 with our own key is not what loop-auth signs with."""
    bare = type(issuer.key).import_key(issuer.key.as_pem(private=True))
    token = jwt.encode({"alg": "RS512", "typ": "at+jwt", "kid": "key-1"}, claims(), bare, ["RS512"], default_type=None)
    assert 'error="invalid_token"' in challenge(service, token)


@pytest.mark.parametrize(
    "token",
    ["x", "a.b", "a.b.c", "...", "a.b.c.d.e", f"{b64([])}.{b64({})}.x", f"{b64({'alg': 'RS256'})}..", "A" * 9000]
    + [base64.urlsafe_b64encode(b'{"alg":' + b"[" * 3000).decode() + ".e30.x"],
    ids=lambda token: token[:20],
)
def test_malformed_token_is_refused(service: Service, token: str) -> None:
    """What is no JWT at all."""
    assert 'error="invalid_token"' in challenge(service, token)


def test_changed_token_is_refused(service: Service, issuer: Issuer) -> None:
    """Another scope under the old signature."""
    head, _, signature = issuer.token().split(".")
    assert "signature" in challenge(service, f"{head}.{b64(claims(scope='exec:read vault:read'))}.{signature}")


def test_token_of_a_list_of_audiences_is_accepted(service: Service, issuer: Issuer) -> None:
    """RFC 7519 allows it, as long as we are in it."""
    with service.client(issuer.token(aud=["https://other.example", RESOURCE])) as client:
        assert client.get("/api/notes").status_code == 200


def test_clock_skew_is_tolerated(service: Service, issuer: Issuer) -> None:
    """Half a minute between two containers is no reason to sign in again."""
    now = int(time.time())
    with service.client(issuer.token(exp=now - 5, iat=now + 10)) as client:
        assert client.get("/api/notes").status_code == 200


@BOTH
@pytest.mark.parametrize("scope", ["", "vault:write", "exec:read", "vault:readonly"])
def test_token_without_reading_is_told_the_scope(service: Service, issuer: Issuer, scope: str, path: str) -> None:
    """403 and not 401: the token is good, it only allows too little."""
    header = challenge(service, issuer.token(scope), 403, path)
    assert 'error="insufficient_scope"' in header and METADATA in header
    assert "vault:read" in header.split('scope="')[1].split('"')[0].split()


def test_reader_may_not_write(service: Service, issuer: Issuer) -> None:
    """Over both ways in; the challenge names what is missing and what was there."""
    with service.client(issuer.token("vault:read")) as client:
        rest = client.put("/api/notes/reader.md", json={"text": "x"})
        tool = client.rpc("tools/call", name="write", arguments={"path": "reader.md", "text": "x"})
    for response in (rest, tool):
        assert response.status_code == 403
        assert 'scope="vault:read vault:write"' in response.headers["www-authenticate"]
        assert 'error="insufficient_scope"' in response.headers["www-authenticate"]
        assert response.json()["error"] == "insufficient_scope"
    assert not (service.vault / "reader.md").exists()


def test_tokens_are_not_logged(service: Service, client: Client, issuer: Issuer) -> None:
    """Neither good nor bad ones."""
    good, bad = issuer.token(), issuer.token(aud="https://other.example/mcp")
    for token in (good, bad):
        with service.client(token) as other:
            other.rpc("tools/list")
            other.get("/mcp/messages/", params={"session_id": "x"})
    assert client.get("/health").status_code == 200
    log = service.log.read_text()
    assert "/health" in log
    assert not [part for token in (good, bad) for part in token.split(".")[1:] if part in log]
