"""One URL for three kinds of client."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest
from mcp import Client as McpClient
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from tests.services.api.issuer import EVERY_SCOPE
from tests.services.api.issuer import ISSUER
from tests.services.api.issuer import Issuer
from tests.services.api.service import Client
from tests.services.api.service import Service
from tests.services.api.streams import Stream

JSON_OR_STREAM = {"Accept": "application/json, text/event-stream"}


@pytest.mark.parametrize("path", ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"])
def test_metadata_name_the_issuer(service: Service, path: str) -> None:
    """At both paths, for everybody, byte for byte what tokens say (RFC 9728)."""
    with service.client() as client:
        assert client.get(path).json() == {
            "resource": f"{ISSUER}/mcp",
            "authorization_servers": [ISSUER],
            "scopes_supported": ["vault:read", "vault:write", "exec:read"],
            "bearer_methods_supported": ["header"],
            "resource_name": "LOOP vault",
        }


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/", "/favicon.ico", "/mcpx", "/MCP", "//mcp"])
def test_what_is_not_here_is_404(service: Service, client: Client, path: str) -> None:
    """With and without a token: a client that looks for metadata goes on looking."""
    with service.client() as stranger:
        assert stranger.get(f"{service.url}{path}").status_code == 404
    assert client.get(f"{service.url}{path}").status_code == 404


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_mcp_never_redirects(service: Service, issuer: Issuer, method: str, path: str) -> None:
    """DSM's proxy spoils redirects, and connectors do not follow them."""
    with service.client() as stranger:
        assert stranger.request(method, path).status_code == 401
    with service.client(issuer.token()) as client:
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        assert client.post(path, json=message, headers=JSON_OR_STREAM).status_code == 200


def test_stateless_call_needs_no_session(client: Client) -> None:
    """An id that another process gave is as good as none; the answer is plain JSON."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    for session in ({}, {"Mcp-Session-Id": "of-another-process"}):
        response = client.post("/mcp", json=message, headers={**JSON_OR_STREAM, **session})
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("application/json")
        assert "mcp-session-id" not in response.headers


def test_there_is_nothing_to_listen_to(client: Client) -> None:
    """The tools never change; a stream that waits for it would hold the container when it stops."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"notifications": {"toolsListChanged": True}, "_meta": meta}
    message = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params}
    headers = {**JSON_OR_STREAM, "Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "subscriptions/listen"}
    response = client.post("/mcp", json=message, headers=headers, timeout=5)
    assert response.status_code == 404 and response.json()["error"]["code"] == -32601


def test_old_client_gets_its_stream(client: Client) -> None:
    """HTTP+SSE: the endpoint event, then every answer on the stream."""
    stream = Stream(client)
    try:
        assert stream.path.startswith("/mcp/messages/?session_id=")
        assert stream.initialize()["result"]["serverInfo"]["name"] == "loop"
        answer = stream.rpc("tools/call", name="read", arguments={"path": "README.md"})["result"]
        assert json.loads(answer["content"][0]["text"])["title"] == "The vault"
    finally:
        stream.close()


def test_message_without_its_stream_is_404(client: Client, service: Service, issuer: Issuer) -> None:
    """An id of a former process, and an id of somebody else."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    unknown = client.post(f"/mcp/messages/?session_id={'0' * 32}", json=message)
    assert unknown.status_code == 404
    stream = Stream(client)
    try:
        stream.initialize()
        for changes in ({"sub": "user-2"}, {"client_id": "client-2"}):
            with service.client(issuer.token(**changes)) as other:
                assert other.post(stream.path, json=message).status_code == 404
        with service.client() as stranger:
            assert stranger.post(stream.path, json=message).status_code == 401
    finally:
        stream.close()


def test_scope_is_that_of_each_message(service: Service, trusted: Client, client: Client) -> None:
    """A stream that was opened with every scope does not lend them to a message with fewer."""
    (service.exec_vault / "held.md").write_text("# Held")
    stream = Stream(trusted)
    try:
        stream.initialize()
        call: dict[str, Any] = {"name": "read", "arguments": {"path": "exec/held.md"}}
        assert not stream.rpc("tools/call", **call)["result"].get("isError")
        answer = stream.rpc("tools/call", client, **call)["result"]
        assert answer["isError"] and "exec:read" in answer["content"][0]["text"]
    finally:
        stream.close()


async def use(transport: Any, mode: str) -> tuple[str, set[str], Any]:
    """Return the revision, the tools and a note that the SDK's own client gets."""
    async with McpClient(transport, mode=mode) as client:
        tools = await client.list_tools()
        result = await client.call_tool("read", {"path": "README.md"})
        assert client.protocol_version
        return client.protocol_version, {tool.name for tool in tools.tools}, result.structured_content


@pytest.mark.parametrize(
    ("mode", "revision"), [("auto", "2026-07-28"), ("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28")]
)
def test_sdk_client_over_streamable_http(service: Service, issuer: Issuer, mode: str, revision: str) -> None:
    """Of both eras, on the same URL."""

    async def session() -> tuple[str, set[str], Any]:
        headers = {"Authorization": f"Bearer {issuer.token()}"}
        async with httpx2.AsyncClient(headers=headers) as http:
            return await use(streamable_http_client(f"{service.url}/mcp", http_client=http), mode)

    spoken, tools, note = asyncio.run(session())
    assert spoken == revision and "search" in tools
    assert note["title"] == "The vault"


def test_sdk_client_over_sse(service: Service, issuer: Issuer) -> None:
    """The older transport, on the same URL too."""
    headers = {"Authorization": f"Bearer {issuer.token(EVERY_SCOPE)}"}
    spoken, tools, note = asyncio.run(use(sse_client(f"{service.url}/mcp", headers=headers), "legacy"))
    assert spoken == "2025-11-25" and "search" in tools
    assert note["title"] == "The vault"
