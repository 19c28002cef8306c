"""The whole flow of a client with a person in front of it."""

from __future__ import annotations

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.auth.conftest import Auth
from tests.services.oauth_client import OAuthClient
from tests.services.oauth_client import Pkce
from tests.services.oauth_client import redirected


def test_a_client_gets_a_token_for_loop_api(auth: Auth, client: OAuthClient) -> None:
    """The claims and the header are the contract with loop-api (RFC 9068)."""
    tokens = client.connect(NAME, PASSWORD)
    keys = KeySet.import_key_set(client.http.get(client.url("/.well-known/jwks.json")).json())
    token = jwt.decode(tokens["access_token"], keys, algorithms=["RS256"])
    assert token.header == {"alg": "RS256", "typ": "at+jwt", "kid": keys.keys[0].kid}
    claims = token.claims
    assert claims["iss"] == auth.issuer
    assert claims["aud"] == f"{auth.issuer}/mcp"
    assert claims["client_id"] == client.client_id
    assert claims["scope"] == "vault:read vault:write"
    assert claims["exp"] - claims["iat"] == 720 * 3600
    assert set(claims) == {"iss", "aud", "sub", "client_id", "scope", "iat", "exp", "jti"}
    assert claims["sub"] != NAME
    assert {name: tokens[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "Bearer",
        "expires_in": 720 * 3600,
        "scope": "vault:read vault:write",
    }


def test_the_code_comes_back_with_state_and_issuer(auth: Auth, client: OAuthClient) -> None:
    """RFC 9207: the issuer is part of every answer."""
    browser = client.browser()
    consent = browser.sign_in(client.authorize_url(Pkce()), NAME, PASSWORD)
    answer = browser.press(consent, "allow")
    assert answer.headers["location"].startswith(f"{client.redirect_uri}?")
    found = redirected(answer)
    assert set(found) == {"code", "state", "iss"}
    assert (found["state"], found["iss"]) == ("practice-state", auth.issuer)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_confidential_client_shows_its_secret(auth: Auth, client: OAuthClient, method: str) -> None:
    """Without it a code is worth nothing; as Basic it may come too."""
    client.register(token_endpoint_auth_method=method)
    pkce = Pkce()
    code = client.code(NAME, PASSWORD, pkce)
    assert client.redeem(code, pkce, client_secret=None).status_code == 401
    assert client.redeem(code, pkce, client_secret="wrong").json()["error"] == "invalid_client"
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": pkce.verifier}
    form["redirect_uri"] = client.redirect_uri
    answer = client.http.post(client.url("/token"), data=form, auth=(client.client_id, client.client_secret))
    assert answer.status_code == 200


def test_sign_ins_survive_a_restart(auth: Auth, client: OAuthClient) -> None:
    """Tokens refresh and the key stays the same."""
    tokens = client.connect(NAME, PASSWORD)
    keys = client.http.get(client.url("/.well-known/jwks.json")).json()
    assert auth.stop() < 2
    auth.start()
    assert client.refresh(tokens["refresh_token"]).status_code == 200
    assert client.http.get(client.url("/.well-known/jwks.json")).json() == keys
