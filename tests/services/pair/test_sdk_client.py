"""The ``mcp`` SDK's own OAuth client: what Python programs connect with."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from urllib.parse import parse_qs
from urllib.parse import urlsplit

import httpx
import pytest

from tests.services.pair.pair import Pair
from tests.services.pair.sdk import Person
from tests.services.pair.sdk import Storage
from tests.services.pair.sdk import answer
from tests.services.pair.sdk import connected
from tests.services.site import Site


@pytest.mark.parametrize(
    ("transport", "mode", "revision"),
    [
        ("http", "auto", "2026-07-28"),
        ("http", "legacy", "2025-11-25"),
        ("sse", "auto", "2026-07-28"),
        ("sse", "legacy", "2025-11-25"),
    ],
)
def test_it_signs_in_once_and_calls_tools(
    site: Site, http: httpx.Client, transport: str, mode: str, revision: str
) -> None:
    """From nothing but the URL; the next time its stored tokens do."""
    person, storage = Person(http), Storage()
    url, path = f"{site.url}/mcp", f"sdk/{transport}-{mode}.md"

    async def first() -> None:
        async with connected(url, person, storage, transport, mode, site.trust) as client:
            assert client.protocol_version == revision
            tools = (await client.list_tools()).tools
            assert {tool.name for tool in tools} == {"list", "search", "fetch", "read", "write"}
            await answer(client, "write", path=path, text="# Written\n\nBy a quokka.\n")
            assert (await answer(client, "read", path=path))["text"] == "# Written\n\nBy a quokka.\n"
            assert path in [result["id"] for result in (await answer(client, "search", query="quokka"))["results"]]

    async def second() -> None:
        async with connected(url, person, storage, transport, mode, site.trust) as client:
            assert (await answer(client, "fetch", id=path))["title"] == "Written"

    asyncio.run(first())
    asyncio.run(second())
    assert len(person.opened) == 1
    asked = parse_qs(urlsplit(person.opened[0]).query)
    assert asked["resource"] == [url]
    assert asked["scope"] == ["vault:read vault:write"]


def test_it_asks_the_person_again_for_exec(pair: Pair, http: httpx.Client) -> None:
    """The challenge names the scope; the client goes back to the person with it, and then reads."""
    person, storage = Person(http), Storage()

    async def main() -> None:
        async with connected(f"{pair.url}/mcp", person, storage) as client:
            assert (await answer(client, "search", query="zeppelins"))["results"] == []
            assert (await answer(client, "read", path="exec/plan.md"))["title"] == "The plan"
            (found,) = (await answer(client, "search", query="zeppelins"))["results"]
            assert found["id"] == "exec/plan.md"

    asyncio.run(main())
    scopes = [set(parse_qs(urlsplit(url).query)["scope"][0].split()) for url in person.opened]
    assert scopes == [{"vault:read", "vault:write"}, {"vault:read", "vault:write", "exec:read"}]


def test_clients_go_on_after_restarts(pair: Pair, http: httpx.Client) -> None:
    """Of one service and of both, in the session and with the token that each has; nobody signs in again."""
    people = {"auto": Person(http), "legacy": Person(http)}

    async def main() -> None:
        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(connected(f"{pair.url}/mcp", person, Storage(), mode=mode))
                for mode, person in people.items()
            ]
            for restart in (lambda: None, pair.restart_api, pair.restart_both):
                await asyncio.to_thread(restart)
                for client in clients:
                    assert (await answer(client, "read", path="README.md"))["title"] == "The vault"

    asyncio.run(main())
    assert [len(person.opened) for person in people.values()] == [1, 1]
