"""What a token is good for, from the consent page to the note."""

from __future__ import annotations

import re

import httpx
import httpx2
import pytest
from api.oauth.scopes import MEANING

from tests.services.api.service import Client
from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.oauth_client import Browser
from tests.services.oauth_client import OAuthClient
from tests.services.oauth_client import Pkce
from tests.services.pair.pair import Pair

EXEC = "vault:read exec:read"


def challenged(response: httpx2.Response, missing: str) -> bool:
    """Tell whether an answer is 403 and names the scope that is ``missing``."""
    header = response.headers.get("www-authenticate", "")
    scope = re.search(r'scope="([^"]+)"', header)
    forbidden = response.status_code == 403 and 'error="insufficient_scope"' in header
    return forbidden and scope is not None and missing in scope[1].split()


@pytest.fixture(scope="module")
def reader(pair: Pair, client: OAuthClient) -> Client:
    """Return a client that may only read."""
    return pair.client(client.connect(NAME, PASSWORD, scope="vault:read")["access_token"])


def test_reader_reads_and_does_not_write(pair: Pair, reader: Client) -> None:
    """By neither way in; nothing is written."""
    with reader:
        assert reader.answer("read", path="README.md")["title"] == "The vault"
        assert challenged(
            reader.rpc("tools/call", name="write", arguments={"path": "x.md", "text": "x"}), "vault:write"
        )
        assert challenged(reader.put("/api/notes/x.md", json={"text": "x"}), "vault:write")
    assert not (pair.api.vault / "x.md").exists()


def test_default_scope_does_not_open_exec(pair: Pair, token: str) -> None:
    """A client that asks for nothing in particular gets what most need, and that is not exec."""
    with pair.client(token) as client:
        assert challenged(client.rpc("tools/call", name="read", arguments={"path": "exec/plan.md"}), "exec:read")
        assert challenged(client.get("/api/notes/exec/plan.md"), "exec:read")
        assert client.answer("search", query="zeppelins")["results"] == []
        assert client.answer("write", path="written.md", text="# Written\n")["created"]


def test_exec_is_named_on_the_consent_page_and_opens_then(pair: Pair, http: httpx.Client, client: OAuthClient) -> None:
    """Asked for and allowed; a denial gives no code at all."""
    pkce = Pkce()
    url = client.authorize_url(pkce, scope=EXEC)
    person = Browser(http)
    page = person.sign_in(url, NAME, PASSWORD)
    assert re.findall(r"<li>(.+?)</li>", page.text) == [MEANING["vault:read"], MEANING["exec:read"]]
    denied = person.decide(url, NAME, PASSWORD, "deny")
    assert "error=access_denied" in denied.headers["location"] and "code=" not in denied.headers["location"]
    tokens = client.redeem(client.code(NAME, PASSWORD, pkce, scope=EXEC), pkce).json()
    assert set(tokens["scope"].split()) == set(EXEC.split())
    with pair.client(tokens["access_token"]) as trusted:
        assert trusted.answer("read", path="exec/plan.md")["title"] == "The plan"
        assert [found["id"] for found in trusted.answer("search", query="zeppelins")["results"]] == ["exec/plan.md"]


def test_refresh_does_not_widen_a_scope(client: OAuthClient) -> None:
    """What was not allowed by a person is not given to a program."""
    tokens = client.connect(NAME, PASSWORD, scope="vault:read")
    answer = client.refresh(tokens["refresh_token"], scope="vault:read exec:read")
    assert answer.status_code == 400 and answer.json()["error"] == "invalid_scope"
