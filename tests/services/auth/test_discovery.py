"""What clients and loop-api read before anything else."""

from __future__ import annotations

import httpx
import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from tests.services.auth.conftest import Auth
from tests.services.auth.conftest import Make

METADATA = "/.well-known/oauth-authorization-server"
JWKS = "/.well-known/jwks.json"


def test_the_metadata_is_valid_and_complete(make: Make, http: httpx.Client) -> None:
    """RFC 8414, by Authlib's rules; the issuer is byte for byte the public URL, whatever host was asked."""
    auth = make(issuer="https://loop.example").start()
    answer = http.get(auth.base + METADATA, headers={"Host": "elsewhere", "X-Forwarded-Host": "elsewhere"})
    document = answer.json()
    AuthorizationServerMetadata(document).validate()
    assert document["issuer"] == "https://loop.example"
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert "none" in document["token_endpoint_auth_methods_supported"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["scopes_supported"] == ["vault:read", "vault:write", "exec:read"]
    assert "client_id_metadata_document_supported" not in document
    for name in ("authorization", "token", "registration", "revocation"):
        assert document[f"{name}_endpoint"].startswith("https://loop.example/")


def test_the_keys_are_public_and_named(auth: Auth, http: httpx.Client) -> None:
    """RFC 7517: a kid, a use, an algorithm, and no private member."""
    keys = http.get(auth.base + JWKS).json()["keys"]
    assert [set(key) for key in keys] == [{"kty", "n", "e", "kid", "use", "alg"}]
    assert (keys[0]["alg"], keys[0]["use"]) == ("RS256", "sig")


def test_health_says_that_database_and_keys_are_usable(auth: Auth, http: httpx.Client) -> None:
    """The container's check asks for it, and people do."""
    expected = {"status": "ok", "service": "loop-auth", "database": "ok", "keys": "ok"}
    assert http.get(f"{auth.base}/health").json() == expected


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", METADATA),
        ("GET", "/.well-known/jwks.json"),
        ("POST", "/token"),
        ("POST", "/register"),
        ("POST", "/revoke"),
    ],
)
def test_programs_in_browsers_may_read(auth: Auth, http: httpx.Client, method: str, path: str) -> None:
    """CORS, with its preflight; /authorize is not open to them."""
    origin = {"Origin": "http://localhost:6274"}
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "mcp-protocol-version"}
    preflight = http.options(auth.base + path, headers=origin | asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "mcp-protocol-version" in preflight.headers["access-control-allow-headers"].lower()
    answer = http.request(method, auth.base + path, headers=origin)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers
    refused = http.options(f"{auth.base}/authorize", headers=origin | asked)
    assert refused.status_code == 405
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(("method", "path"), [("GET", "/token"), ("PUT", "/register"), ("DELETE", "/authorize")])
def test_a_wrong_method_names_the_right_one(auth: Auth, http: httpx.Client, method: str, path: str) -> None:
    """RFC 9110, section 15.5.6."""
    answer = http.request(method, auth.base + path)
    assert answer.status_code == 405
    assert answer.headers["allow"]
