"""Signed-in users stay signed in, whatever is deployed."""

from __future__ import annotations

import asyncio

import httpx

from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import Nas
from tests.lab.conftest import deploy
from tests.lab.conftest import loopdeploy
from tests.lab.sign_in import connected
from tests.lab.sign_in import make_user
from tests.lab.sign_in import public_url
from tests.lab.sign_in import tokens
from tests.lab.sign_in import trust
from tests.services.pair.sdk import Person
from tests.services.pair.sdk import answer


async def calls(nas: Nas, person: Person) -> None:
    """Call a tool before, between and after the deployments, by one client that stays connected."""
    async with connected(nas, person) as client:
        await answer(client, "write", path="signed-in.md", text="first")
        for verb in ("rebuild", "rebuild-all"):
            await asyncio.to_thread(deploy, verb, "--force")
            read = await answer(client, "read", path="signed-in.md")
            assert read["text"] == "first"


def test_a_client_goes_on_over_rebuild_and_rebuild_all(nas: Nas) -> None:
    """It signs in once, through the reverse proxy, and calls a tool after each replacement without doing so again."""
    make_user(nas)
    with httpx.Client(verify=trust(nas)) as http:
        person = Person(http)
        try:
            asyncio.run(calls(nas, person))
        finally:
            nas.run("rm", "-f", f"{CHECKOUT}/signed-in.md")
    assert len(person.opened) == 1


def test_tokens_of_before_work_after_a_rollback_and_a_restore(nas: Nas) -> None:
    """The keys are what they were, and a refresh token is still known."""
    given = tokens(nas)
    deploy("rebuild-all", "--force")
    deploy("rollback", "loop-auth")
    deploy("restore", "--auth", "latest")
    with httpx.Client(verify=trust(nas), base_url=public_url()) as http:
        listed = http.get("/api/notes", headers={"Authorization": f"Bearer {given['access_token']}"})
    assert listed.status_code == 200, listed.text


def test_loop_api_that_still_has_the_keys_stays_while_loop_auth_is_down(nas: Nas) -> None:
    """A new one could fetch none, and would refuse everybody who is signed in."""
    given = tokens(nas)
    with httpx.Client(verify=trust(nas), base_url=public_url()) as http:
        http.headers["Authorization"] = f"Bearer {given['access_token']}"
        assert http.get("/api/notes").status_code == 200
        before = nas.life("loop-api")
        nas.docker("stop", "loop-auth")
        try:
            refused = loopdeploy("rebuild", "--force")
            assert http.get("/api/notes").status_code == 200
            assert nas.life("loop-api") == before
        finally:
            deploy("start", "loop-auth")
    assert refused.returncode == 1 and "loop-auth is exited" in refused.stderr


def test_metadata_is_found_behind_the_reverse_proxy(nas: Nas) -> None:
    """Each well-known path leads to the right service; without a token the client is told where to get one."""
    with httpx.Client(verify=trust(nas), base_url=public_url()) as http:
        assert http.get("/.well-known/oauth-authorization-server").json()["issuer"] == public_url()
        for path in ("/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"):
            assert http.get(path).json()["authorization_servers"] == [public_url()]
        refused = http.post("/mcp", json={})
    assert refused.status_code == 401
    assert "resource_metadata=" in refused.headers["www-authenticate"]
