"""loop-auth's keys and database and the NAS's .env lie in the vault: no token opens them, whatever the tool."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.services.api.service import Client
from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.oauth_client import OAuthClient
from tests.services.pair.pair import Pair
from tests.services.waiting import eventually

EVERYTHING = "vault:read vault:write exec:read"
SECRET = "platypus"
#: In each file that is private, and in no note.
MARKS = (SECRET, "PRIVATE KEY", "SQLite format")

Way = Callable[[Client, str], httpx2.Response]


def tool(name: str, argument: str, **more: Any) -> Way:
    """Return a call of a tool."""
    return lambda client, path: client.rpc("tools/call", name=name, arguments={argument: path, **more})


def quoted(path: str) -> str:
    """Return ``path`` so that no client library tidies it up on the way."""
    return "".join(f"%{byte:02X}" for byte in path.encode())


TOOLS: dict[str, Way] = {
    "list": tool("list", "folder"),
    "search": tool("search", "query", limit=50),
    "fetch": tool("fetch", "id"),
    "read": tool("read", "path"),
    "write": tool("write", "path", text=SECRET),
}
ROUTES: dict[str, Way] = {
    "GET /api/notes": lambda client, path: client.get("/api/notes", params={"folder": path}),
    "GET /api/search": lambda client, path: client.get("/api/search", params={"q": path, "limit": 50}),
    "GET /api/notes/{path}": lambda client, path: client.get(f"/api/notes/{quoted(path)}"),
    "PUT /api/notes/{path}": lambda client, path: client.put(f"/api/notes/{quoted(path)}", json={"text": SECRET}),
}
#: What these answer is 200 with nothing in it.
SEARCHES = ("search", "GET /api/search")


@pytest.fixture(scope="module")
def everyone(pair: Pair, client: OAuthClient) -> Iterator[Client]:
    """Return a client with every scope there is."""
    with pair.client(client.connect(NAME, PASSWORD, scope=EVERYTHING)["access_token"]) as everyone:
        yield everyone


@pytest.fixture(scope="module")
def private(pair: Pair, everyone: Client) -> Iterator[list[str]]:
    """Return every path that leads to what is private: as it is, in other letters, through links and detours."""
    vault, oauth = pair.api.vault, pair.auth.directory
    made = [vault / ".env", vault / ".env.md", oauth / "secret.md", oauth / "keys" / "secret.md"]
    for path in made:
        path.write_text(f"TOKEN={SECRET}\n")
    links = {"env.md": ".env", "oauth": "api/oauth", "key.md": str(next((oauth / "keys").glob("*.pem")))}
    for name, target in links.items():
        (vault / name).symlink_to(target)
    made.append(vault / "beacon.md")
    made[-1].write_text("# Beacon\n")
    # A search has something to give away only when the index has seen what lies here.
    eventually(lambda: everyone.answer("search", query="beacon")["results"] != [])
    files = [str(path.relative_to(vault)) for path in oauth.rglob("*") if not path.is_dir()]
    detours = [
        "api/../.env",
        "./.env",
        f"{vault}/.env",
        "api/x/../oauth/secret.md",
        "exec/../.env",
        "exec/../api/oauth",
    ]
    plain = [".env", ".env.md", "api/oauth", "api/oauth/keys", *files, "api/oauth/new.md", ".env/new.md"]
    linked = ["env.md", "oauth", "oauth/secret.md", "oauth/keys/secret.md", "oauth/new.md", "key.md"]
    yield [*plain, *(path.upper() for path in plain), *linked, *detours, SECRET, "PRIVATE", "SQLite"]
    for path in [*made, *(vault / name for name in links)]:
        path.unlink()


def guarded(pair: Pair) -> dict[str, tuple[int, int, bytes | str]]:
    """Return all that is private: inode, mode and content, and what the vault's top holds."""
    vault = pair.api.vault
    met: dict[str, tuple[int, int, bytes | str]] = {}
    for path in [*pair.auth.directory.rglob("*"), *vault.glob("*.env*"), *vault.glob("[ek]*.md"), vault]:
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else "" if path.is_symlink() else " ".join(os.listdir(path))
        # The shared memory of SQLite's log says who reads it now.
        met[str(path)] = (status.st_ino, status.st_mode, b"" if path.suffix == ".db-shm" else content)
    return met


def test_no_tool_and_no_route_is_left_out(everyone: Client) -> None:
    """What is offered is what is tried below."""
    assert set(TOOLS) == {tool["name"] for tool in everyone.rpc("tools/list").json()["result"]["tools"]}
    paths = everyone.get("/openapi.json").json()["paths"]
    offered = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert set(ROUTES) == {route for route in offered if " /api/" in route}


@pytest.mark.parametrize("way", [*TOOLS, *ROUTES])
def test_private_is_out_of_reach(pair: Pair, everyone: Client, private: list[str], way: str) -> None:
    """With every scope: nothing of it is told, and nothing of it is another afterwards."""
    before = guarded(pair)
    for path in private:
        response = {**TOOLS, **ROUTES}[way](everyone, path)
        assert not any(mark in response.text for mark in MARKS if mark != path), (path, response.text)
        answer = response.json()
        failed = response.status_code in (400, 403, 404) or answer.get("result", {}).get("isError")
        found = answer.get("results", answer.get("result", {}).get("structuredContent", {}).get("results"))
        assert failed or (way in SEARCHES and found == []), (path, response.text)
    assert guarded(pair) == before


def test_the_keys_are_real(pair: Pair, private: list[str]) -> None:
    """The database, the keys and their marks are where the tests above look for them."""
    contents = b"".join(
        Path(pair.api.vault, path).read_bytes()
        for path in private
        if path.startswith("api/oauth/k") and Path(pair.api.vault, path).is_file()
    )
    assert b"PRIVATE KEY" in contents and SECRET.encode() in contents
    assert pair.auth.database.read_bytes().startswith(b"SQLite format")
