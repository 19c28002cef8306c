"""What no client reaches, by any tool or route: out of the vault, the services' keys, exec without its scope."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.services.api.issuer import EVERY_SCOPE
from tests.services.api.issuer import Issuer
from tests.services.api.service import Client
from tests.services.api.service import Service
from tests.services.waiting import eventually

# In every file that must not be seen.
SECRET = "xyzzysecret"

Try = Callable[[Client, str], httpx2.Response]


def call(name: str, argument: str, **more: Any) -> Try:
    """Return a call of a tool with a path."""
    return lambda client, path: client.rpc("tools/call", name=name, arguments={argument: path, **more})


READS: dict[str, Try] = {
    "read": call("read", "path"),
    "fetch": call("fetch", "id"),
    "list": call("list", "folder"),
    "GET note": lambda client, path: client.get(f"/api/notes/{quoted(path)}"),
    "GET notes": lambda client, path: client.get("/api/notes", params={"folder": path}),
}
WRITES: dict[str, Try] = {
    "write": call("write", "path", text=SECRET),
    "PUT note": lambda client, path: client.put(f"/api/notes/{quoted(path)}", json={"text": SECRET}),
}


def quoted(path: str) -> str:
    """Return ``path`` so that no client library tidies it up on the way."""
    return "".join(f"%{byte:02X}" for byte in path.encode())


def refused(response: httpx2.Response) -> bool:
    """Tell whether a call failed, in a way that a client understands."""
    if response.status_code != 200:
        return 400 <= response.status_code < 500 and bool(response.json()["error"])
    return bool(response.json()["result"].get("isError"))


def everything(root: Path) -> dict[str, tuple[int, bytes | str | None]]:
    """Return all that is below ``root``: inode, and content or link target."""
    met: dict[str, tuple[int, bytes | str | None]] = {}
    for path in sorted(root.rglob("*")):
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        met[str(path)] = (path.lstat().st_ino, content)
    return met


@pytest.fixture(scope="module")
def fort(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return a loop-api over a vault full of what must not be seen, in files that would pass as notes."""
    service = Service(tmp_path_factory.mktemp("fort"), issuer.url)
    vault = service.vault
    outside = vault.parent / "outside"
    twin = vault.parent / "vault-evil"
    hidden = [
        vault / "api" / "oauth" / "keys",
        vault / "API" / "OAuth",
        vault / ".git",
        vault / ".GIT",
        vault / "notes" / ".git" / "hooks",
        vault / ".ssh",
        vault / "@eaDir",
        vault / "notes" / "#recycle",
        outside,
        twin,
    ]
    for folder in [*hidden, service.exec_vault / "deep", vault / "notes"]:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "secret.md").write_text(f"# {SECRET}\n")
    (vault / "notes" / "secret.md").unlink()
    for name in (".env", ".env.md", "api/oauth/oauth.db", "api/requirements.txt", "notes/plain.txt", ".hidden.md"):
        (vault / name).write_text(f"{SECRET}\n")
    (service.exec_vault / "secret.md").write_text(f"# {SECRET}\n")
    (vault / "notes" / "open.md").write_text("# Open\n\nNothing to hide.\n")
    links: dict[str, str | Path] = {
        "out.md": outside / "secret.md",
        "out": outside,
        "up": "..",
        "keys": vault / "api" / "oauth" / "keys",
        "keys.md": "api/oauth/keys/secret.md",
        "env.md": ".env",
        "text.md": "api/requirements.txt",
        "commands": "exec",
        "command.md": "exec/deep/secret.md",
        "new.md": outside / "new.md",
        "dangling.md": "nowhere/at/all.md",
        "loop.md": "loop.md",
        "notes/deeper": outside,
    }
    for name, target in links.items():
        (vault / name).symlink_to(target)
    os.mkfifo(vault / "pipe.md")
    (vault / "folder.md").mkdir()
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def everyone(fort: Service, issuer: Issuer) -> Iterator[Client]:
    """Return a client with every scope there is."""
    with fort.client(issuer.token(EVERY_SCOPE)) as client:
        yield client


@pytest.fixture(scope="module")
def usual(fort: Service, issuer: Issuer) -> Iterator[Client]:
    """Return a client with the scopes that are given by default."""
    with fort.client(issuer.token()) as client:
        yield client


PRIVATE = [
    ".env",
    ".env.md",
    ".ENV.md",
    ".hidden.md",
    "api/oauth/keys/secret.md",
    "api/oauth/oauth.db",
    "api/oauth",
    "API/OAuth/secret.md",
    "Api/OAUTH/keys/secret.md",
    "api./oauth /keys/secret.md",
    "\uff41pi/oauth/secret.md",
    "api/o\u200bauth/keys/secret.md",
    "\u200b.env.md",
    ".git/secret.md",
    ".GIT/secret.md",
    "notes/.git/hooks/secret.md",
    ".ssh/secret.md",
    "@eaDir/secret.md",
    "@EADIR/secret.md",
    "notes/#recycle/secret.md",
    "keys/secret.md",
    "keys.md",
    "env.md",
]
OUTSIDE = [
    "..",
    "../outside/secret.md",
    "notes/../../outside/secret.md",
    "notes/../open.md",
    "../vault-evil/secret.md",
    "../vault/notes/open.md",
    "./notes/open.md",
    "notes//open.md",
    "/etc/passwd",
    "/etc/hostname.md",
    "//etc/hosts.md",
    "C:/secret.md",
    "C:\\secret.md",
    "..\\outside\\secret.md",
    "\\\\server\\share.md",
    "notes\\open.md",
    "notes/open.md\0",
    "notes/open.md\0.txt",
    "\0",
    "notes/open\n.md",
    "notes/\x1bopen.md",
    "%2e%2e/outside/secret.md",
    "~/secret.md",
    "out.md",
    "out/secret.md",
    "up/outside/secret.md",
    "up/vault-evil/secret.md",
    "notes/deeper/secret.md",
    "loop.md",
    "loop.md/x.md",
    "x" * 300 + ".md",
    "/".join(["x"] * 2000) + ".md",
]


@pytest.mark.parametrize("way", READS)
@pytest.mark.parametrize("path", PRIVATE + OUTSIDE, ids=lambda path: repr(path[:40]))
def test_private_and_outside_are_not_read(everyone: Client, way: str, path: str) -> None:
    """With every scope there is."""
    response = READS[way](everyone, path)
    assert SECRET not in response.text
    assert refused(response), response.text


@pytest.mark.parametrize("way", WRITES)
@pytest.mark.parametrize(
    "path",
    [
        *(path for path in PRIVATE + OUTSIDE if path != "~/secret.md" and not path.startswith("%2e")),
        "new.md",
        "out/new.md",
        "out/deep/new.md",
        "notes/deeper/new.md",
        "up/new.md",
        "exec/new.md",
        "exec/deep/secret.md",
        "EXEC/new.md",
        "commands/new.md",
        "command.md",
        "api/oauth/new/new.md",
        "keys/new.md",
        "notes/new.txt",
        "api/requirements.txt",
        "text.md",
        "notes/new.md.py",
        "notes/new.MD/x",
        "notes/new",
        "notes/.md",
        "pipe.md",
        "folder.md",
        "notes",
        "",
        "notes/open.md/below.md",
    ],
    ids=lambda path: repr(path[:40]),
)
def test_private_and_outside_are_not_written(fort: Service, everyone: Client, way: str, path: str) -> None:
    """Nor is anything else: what lies around is the very same afterwards."""
    before = everything(fort.vault.parent)
    response = WRITES[way](everyone, path)
    after = everything(fort.vault.parent)
    log = str(fort.log)
    assert {**after, log: None} == {**before, log: None}
    assert refused(response) or response.status_code in (404, 405), response.text


def test_nothing_private_is_found_or_listed(everyone: Client) -> None:
    """The index has never seen it; what it has are the notes, each under its own name."""
    results = everyone.answer("search", query=SECRET, limit=50)["results"]
    assert sorted(result["id"] for result in results) == ["exec/deep/secret.md", "exec/secret.md"]
    notes = everyone.answer("list", limit=1000)["notes"]
    assert [note["path"] for note in notes] == ["exec/deep/secret.md", "exec/secret.md", "notes/open.md"]


@pytest.mark.parametrize("way", READS)
@pytest.mark.parametrize(
    "path", ["exec/secret.md", "exec/deep/secret.md", "exec", "EXEC/secret.md", "commands/secret.md", "command.md"]
)
def test_exec_needs_its_scope(usual: Client, way: str, path: str) -> None:
    """By its name and through links; the challenge names the scope, so that the client can ask for it."""
    response = READS[way](usual, path)
    assert response.status_code == 403 and SECRET not in response.text
    header = response.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in header
    assert 'scope="vault:read vault:write exec:read"' in header


def test_exec_is_neither_found_nor_listed_without_its_scope(usual: Client) -> None:
    """Not even as a number of hits."""
    assert usual.answer("search", query=SECRET)["results"] == []
    assert usual.get("/api/search", params={"q": SECRET}).json() == {"results": []}
    assert [note["path"] for note in usual.answer("list")["notes"]] == ["notes/open.md"]
    assert [note["path"] for note in usual.get("/api/notes").json()["notes"]] == ["notes/open.md"]
    assert usual.answer("list", after="exec/deep", limit=1)["notes"][0]["path"] == "notes/open.md"


@pytest.mark.parametrize("path", ["exec/secret.md", "commands/secret.md", "command.md"])
def test_exec_is_read_with_its_scope(everyone: Client, path: str) -> None:
    """A link inside the vault leads there for who may go there."""
    assert SECRET in everyone.answer("read", path=path)["text"]


def test_link_inside_the_vault_is_followed(fort: Service, usual: Client) -> None:
    """A note may be known under two names; writing to the link writes the note and keeps the link."""
    (fort.vault / "notes" / "target.md").write_text("one")
    link = fort.vault / "notes" / "link.md"
    link.symlink_to("target.md")
    assert usual.answer("read", path="notes/link.md")["text"] == "one"
    assert usual.answer("write", path="notes/link.md", text="two")["path"] == "notes/target.md"
    assert link.is_symlink() and link.read_text() == "two"
    link.unlink()
    (fort.vault / "notes" / "target.md").unlink()
    # The link's own name was never listed, and the note's is no more.
    eventually(lambda: [note["path"] for note in usual.answer("list", folder="notes")["notes"]] == ["notes/open.md"])


def test_folder_swapped_for_a_link_is_not_followed(fort: Service, everyone: Client) -> None:
    """While notes are read and written, somebody swaps their folder for a link to the outside, again and again."""
    outside = fort.vault.parent / "outside"
    folder, link, swapped = fort.vault / "real", fort.vault / "link", fort.vault / "swap"
    folder.mkdir()
    (folder / "secret.md").write_text("mine")
    link.symlink_to(outside)
    os.rename(folder, swapped)
    before = everything(outside)
    done = threading.Event()
    swaps = 0

    def swap() -> None:
        nonlocal swaps
        while not done.is_set():
            exchange(swapped, link)
            swaps += 1

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        answers = {READS["read"](everyone, "swap/secret.md").text for _ in range(200)}
        answers |= {WRITES["PUT note"](everyone, "swap/secret.md").text for _ in range(100)}
    finally:
        done.set()
        thread.join()
    assert swaps > 100 and len(answers) > 1
    assert not any(f"# {SECRET}" in answer for answer in answers)
    assert everything(outside) == before


def exchange(one: Path, other: Path) -> None:
    """Swap two names in one step (Linux's renameat2 with RENAME_EXCHANGE)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2):
        raise OSError(ctypes.get_errno(), "renameat2")
