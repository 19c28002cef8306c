"""One service without the other, and new keys: who goes on, and who is told what."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest
from joserfc import jws
from mcp.client.auth import OAuthFlowError

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.oauth_client import OAuthClient
from tests.services.oauth_client import Pkce
from tests.services.pair.pair import Pair
from tests.services.pair.sdk import Person
from tests.services.pair.sdk import Storage
from tests.services.pair.sdk import connected
from tests.services.waiting import eventually


def works(pair: Pair, token: str) -> bool:
    """Tell whether loop-api takes a token."""
    with pair.client(token) as client:
        response = client.get("/api/notes")
    assert response.status_code in (200, 401), response.text
    return response.status_code == 200


def signed_by(token: str) -> str:
    """Return the ``kid`` in a token's header."""
    return str(jws.extract_compact(token.encode()).headers()["kid"])


def refreshed(client: OAuthClient, tokens: dict[str, Any]) -> dict[str, Any]:
    """Return the next tokens."""
    response = client.refresh(tokens["refresh_token"])
    assert response.status_code == 200, response.text
    return dict(response.json())


async def sign_in(pair: Pair, person: Person) -> None:
    """Connect a client that was never there before."""
    async with connected(f"{pair.url}/mcp", person, Storage()):
        pass


def only(group: BaseExceptionGroup[BaseException], kind: type[BaseException]) -> BaseException:
    """Return the one exception in ``group``, which is of ``kind``."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        (found,) = found.exceptions
    assert isinstance(found, kind), found
    return found


def test_rotation_is_seen_and_old_tokens_work_on(pair: Pair, client: OAuthClient) -> None:
    """The new key signs at once here, so loop-api meets it in a token first."""
    old = client.connect(NAME, PASSWORD)
    assert works(pair, old["access_token"])
    assert pair.auth.command("keys", "rotate", "--after", "0").returncode == 0
    # loop-auth looks at its keys each second.
    time.sleep(1.1)
    new = refreshed(client, old)
    assert signed_by(new["access_token"]) != signed_by(old["access_token"])
    # loop-api asks for a key that it does not know, but not twice in 10 s.
    eventually(lambda: works(pair, new["access_token"]), 15)
    assert works(pair, old["access_token"])


def test_compromised_key_opens_nothing_after_a_restart(pair: Pair, client: OAuthClient) -> None:
    """loop-api would see it by itself within five minutes; clients refresh, and nobody signs in again."""
    old = client.connect(NAME, PASSWORD)
    assert pair.auth.command("keys", "rotate", "--compromised").returncode == 0
    time.sleep(1.1)
    pair.restart_api()
    # Until it has asked, it has what it knew before.
    eventually(lambda: not works(pair, old["access_token"]))
    assert works(pair, refreshed(client, old)["access_token"])


def test_existing_tokens_work_while_loop_auth_is_down(pair: Pair, client: OAuthClient, http: httpx.Client) -> None:
    """Also after a restart of loop-api; who signs in or refreshes is told that the service is not there."""
    tokens = client.connect(NAME, PASSWORD)
    pair.auth.stop()
    try:
        assert works(pair, tokens["access_token"])
        pair.restart_api()
        assert works(pair, tokens["access_token"])
        with pair.client(tokens["access_token"]) as mcp:
            assert mcp.get("/health").json()["jwks"] == "stale"
        assert client.refresh(tokens["refresh_token"]).status_code == 502
        person = Person(http)
        with pytest.raises(BaseExceptionGroup) as caught:
            asyncio.run(sign_in(pair, person))
        assert "502" in str(only(caught.value, OAuthFlowError))
        assert not person.opened
    finally:
        pair.auth.start()
    assert works(pair, refreshed(client, tokens)["access_token"])


def test_restart_of_loop_auth_keeps_sign_ins(pair: Pair, client: OAuthClient) -> None:
    """Registrations, who is signed in in a browser, and refresh tokens; the same key signs on."""
    tokens = client.connect(NAME, PASSWORD)
    pair.restart_auth()
    assert works(pair, tokens["access_token"])
    assert client.person is not None
    assert f"Signed in as <strong>{NAME}</strong>" in client.person.get(client.authorize_url(Pkce())).text
    new = refreshed(client, tokens)
    assert works(pair, new["access_token"])
    assert signed_by(new["access_token"]) == signed_by(tokens["access_token"])
