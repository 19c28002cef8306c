"""The ``mcp`` SDK's own client with its own OAuth, and the person in front of it."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult
from mcp.client.auth import OAuthClientProvider
from mcp.client.session import ClientSession
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull
from mcp.shared.auth import OAuthClientMetadata
from mcp.shared.auth import OAuthToken
from mcp_types import TextContent
from pydantic import AnyUrl

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.oauth_client import REDIRECT_URI
from tests.services.oauth_client import Browser
from tests.services.oauth_client import redirected

METADATA = OAuthClientMetadata(client_name="SDK client", redirect_uris=[AnyUrl(REDIRECT_URI)])


class Person:
    """Signs in and allows whatever a client opens; ``opened`` are the URLs, ``shown`` the consent pages."""

    def __init__(self, http: httpx.Client):
        self.opened: list[str] = []
        self._browser = Browser(http)
        self._answer: dict[str, str] = {}

    async def open(self, url: str) -> None:
        """Do what a person does with a URL that a client opens."""
        self.opened.append(url)
        self._answer = redirected(await asyncio.to_thread(self._browser.decide, url, NAME, PASSWORD))

    async def answer(self) -> AuthorizationCodeResult:
        """Return what the browser brings back to the client."""
        return AuthorizationCodeResult.model_validate(self._answer)


class Storage:
    """What a client keeps on disk."""

    def __init__(self) -> None:
        self.tokens: OAuthToken | None = None
        self.client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        """Return the tokens."""
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        """Keep the tokens."""
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        """Return the registration."""
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Keep the registration."""
        self.client = client_info


@asynccontextmanager
async def connected(
    url: str,
    person: Person,
    storage: Storage,
    transport: str = "http",
    mode: str = "auto",
    trust: ssl.SSLContext | bool = True,
) -> AsyncIterator[Client]:
    """Give a client of the MCP server at ``url`` which signs in when it must."""
    provider = OAuthClientProvider(url, METADATA, storage, person.open, person.answer)

    def make_http(
        headers: dict[str, Any] | None = None, timeout: httpx2.Timeout | None = None, auth: httpx2.Auth | None = None
    ) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(headers=headers, timeout=timeout, auth=auth, verify=trust)

    if transport == "sse":
        stream = sse_client(url, auth=provider, httpx_client_factory=make_http)
        async with Client(stream, mode=mode) as client:
            yield client
    else:
        async with make_http(auth=provider, timeout=httpx2.Timeout(30)) as http:
            async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
                yield client


async def answer(client: Client | ClientSession, tool: str, **arguments: Any) -> dict[str, Any]:
    """Return what a tool call gave."""
    result = await client.call_tool(tool, arguments)
    (item,) = result.content
    assert isinstance(item, TextContent)
    assert not result.is_error, item.text
    return dict(json.loads(item.text))
