"""What the MCP tools do with an ordinary vault."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.services.api.issuer import ISSUER
from tests.services.api.service import Client
from tests.services.api.service import Service
from tests.services.waiting import eventually


def paths(client: Client, folder: Path) -> list[str]:
    """Return the names of the notes in ``folder``, as the tool lists them."""
    listed = client.answer("list", folder=folder.name)["notes"]
    return [note["path"].removeprefix(f"{folder.name}/") for note in listed]


def found(client: Client, words: str) -> list[str]:
    """Return the paths of the notes that hold ``words``."""
    return [result["id"] for result in client.answer("search", query=words)["results"]]


def test_tools_say_what_they_do(client: Client) -> None:
    """The read-only ones are annotated: clients need not ask the user before each call."""
    tools = {tool["name"]: tool for tool in client.rpc("tools/list").json()["result"]["tools"]}
    assert set(tools) == {"list", "search", "read", "write", "fetch"}
    read_only = {name for name, tool in tools.items() if tool["annotations"]["readOnlyHint"]}
    assert read_only == {"list", "search", "read", "fetch"}
    assert tools["write"]["annotations"]["destructiveHint"]
    assert tools["search"]["inputSchema"]["required"] == ["query"]
    assert tools["fetch"]["inputSchema"]["required"] == ["id"]


def test_search_and_fetch_have_the_shape_that_chatgpt_expects(client: Client, folder: Path) -> None:
    """One text item of JSON each; a result's id is what fetch takes."""
    text = "# The plan\n\nFirst the zeppelin.\n"
    client.answer("write", path=f"{folder.name}/plan.md", text=text)
    (result,) = client.answer("search", query="zeppelin")["results"]
    assert result["id"] == f"{folder.name}/plan.md"
    assert result["title"] == "The plan"
    assert result["url"] == f"{ISSUER}/api/notes/{folder.name}/plan.md"
    assert "zeppelin" in result["snippet"]
    document = client.answer("fetch", id=result["id"])
    assert document["id"] == result["id"] and document["url"] == result["url"]
    assert document["title"] == "The plan"
    assert document["text"] == text
    assert set(document["metadata"]) == {"version", "modified"}


def test_written_note_is_found_at_once(client: Client, folder: Path) -> None:
    """By reading, listing and searching, and byte for byte on disk."""
    text = "# Über 회의록\r\n\n\ttabs, \0 and \U0001f600 quagmire \n"
    written = client.answer("write", path=f"{folder.name}/new/note.md", text=text)
    assert written["created"]
    assert (folder / "new" / "note.md").read_bytes() == text.encode()
    assert client.answer("read", path=f"{folder.name}/new/note.md")["text"] == text
    assert paths(client, folder) == ["new/note.md"]
    assert found(client, "quagmire") == [f"{folder.name}/new/note.md"]
    assert not client.answer("write", path=f"{folder.name}/new/note.md", text="# Other")["created"]
    assert found(client, "quagmire") == []


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("# 회의록을 정리", "회의"),
        ("Grüße aus München", "gruße munchen"),
        ("the naïve approach", "NAIVE"),
        ("cafe\u0301 decomposed", "café"),
        ('say "quoted" AND (this) OR that*', '"quoted" AND (this'),
        ("a C++ compiler-driver", "compiler-driver"),
        ("plain words in any order", "order plain"),
    ],
)
def test_search_takes_words_as_people_write_them(client: Client, folder: Path, text: str, query: str) -> None:
    """No query syntax, no case, no accents; Korean with its particles; composed or not."""
    (folder / "words.md").write_text(text)
    client.answer("write", path=f"{folder.name}/other.md", text="something else")
    assert f"{folder.name}/words.md" in found(client, query)


@pytest.mark.parametrize(
    "query", ["", "   ", "***", '"', "'; DROP TABLE notes; --", "\0", "qqq\0zzz", "NEAR(", "x" * 1000]
)
def test_odd_query_finds_nothing_and_breaks_nothing(client: Client, query: str) -> None:
    """What SQLite might take for syntax."""
    assert client.answer("search", query=query) == {"results": []}


def test_half_a_surrogate_in_a_query_is_no_crash(client: Client) -> None:
    """JSON can say what UTF-8 cannot."""
    body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search","arguments":{"query":"\\ud800 x"}}}'
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    assert client.post("/mcp", content=body, headers=headers).status_code in (200, 400)
    assert client.answer("search", query="Practise")["results"]


def test_title_ranks_before_text(client: Client, folder: Path) -> None:
    """Who searches for a note by its title wants that note first."""
    (folder / "long.md").write_text("# Else\n\n" + "periscope " * 9)
    (folder / "short.md").write_text("# Periscope\n\nA note.\n")
    client.answer("write", path=f"{folder.name}/third.md", text="third")
    assert found(client, "periscope") == [f"{folder.name}/short.md", f"{folder.name}/long.md"]


def test_changes_beside_it_are_seen(client: Client, folder: Path) -> None:
    """As by git pull: made, changed without a change of size, moved and deleted, within seconds."""
    (folder / "one.md").write_text("walrus")
    (folder / "two.md").write_text("walrus")
    (folder / "gone.md").write_text("walrus")
    eventually(lambda: len(found(client, "walrus")) == 3)
    (folder / "one.md").write_text("badger")
    (folder / "two.md").rename(folder / "three.md")
    (folder / "gone.md").unlink()
    eventually(lambda: found(client, "walrus") == [f"{folder.name}/three.md"])
    assert found(client, "badger") == [f"{folder.name}/one.md"]
    assert paths(client, folder) == ["one.md", "three.md"]


def test_list_gives_pages(client: Client, folder: Path) -> None:
    """Each note once, in order, over as many pages as it takes; a folder's twin is not in it."""
    names = [f"{number:02}.md" for number in range(7)] + ["sub/08.md"]
    for name in names:
        client.answer("write", path=f"{folder.name}/{name}", text="x")
    twin = folder.with_name(f"{folder.name}-twin")
    twin.mkdir()
    (twin / "note.md").write_text("x")
    met: list[str] = []
    after = ""
    while True:
        page = client.answer("list", folder=folder.name, after=after, limit=3)
        met += [note["path"] for note in page["notes"]]
        after = page["next_after"]
        if after is None:
            break
    assert met == [f"{folder.name}/{name}" for name in names]


def test_write_keeps_mode_and_owner(client: Client, folder: Path) -> None:
    """The container's root is nobody on the NAS; a new note belongs to whom its folder belongs."""
    os.chown(folder, 1234, 5678)
    old = folder / "old.md"
    old.write_text("old")
    old.chmod(0o640)
    os.chown(old, 4321, 8765)
    client.answer("write", path=f"{folder.name}/old.md", text="new")
    status = old.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o640, 4321, 8765)
    client.answer("write", path=f"{folder.name}/sub/new.md", text="new")
    for path in (folder / "sub", folder / "sub" / "new.md"):
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 5678)
    assert stat.S_IMODE((folder / "sub" / "new.md").stat().st_mode) == 0o644
    assert sorted(path.name for path in folder.rglob("*")) == ["new.md", "old.md", "sub"]


def test_version_keeps_a_change_from_being_lost(client: Client, folder: Path) -> None:
    """Who read an older note does not replace the newer one."""
    path = f"{folder.name}/note.md"
    first = client.answer("write", path=path, text="one")["version"]
    assert client.answer("read", path=path)["version"] == first
    second = client.answer("write", path=path, text="two", version=first)["version"]
    assert "changed since" in client.failure("write", path=path, text="three", version=first)
    assert (folder / "note.md").read_text() == "two"
    (folder / "note.md").unlink()
    assert "no longer there" in client.failure("write", path=path, text="three", version=second)
    assert "no such note" in client.failure("write", path=f"{folder.name}/x/y.md", text="three", version=second)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("arguments", [{}, {"path": 7}, {"path": None}, {"path": ["a.md"]}, {"path": {"a": 1}}])
def test_wrong_arguments_are_explained(client: Client, service: Service, arguments: dict[str, object]) -> None:
    """As a failure of the tool, which a model can read and mend."""
    assert "path" in client.failure("read", **arguments)
    assert "Traceback" not in service.log.read_text()


def test_unknown_tool_is_an_error(client: Client) -> None:
    """Of the protocol or of the tool, but no crash."""
    response = client.rpc("tools/call", name="delete", arguments={})
    assert "delete" in response.text and response.status_code in (200, 400)
