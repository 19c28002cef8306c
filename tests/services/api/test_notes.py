"""Notes and vaults that are not as they should be: an error that a client understands, and nothing lost."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest

from tests.services.api.issuer import EVERY_SCOPE
from tests.services.api.issuer import Issuer
from tests.services.api.service import Client
from tests.services.api.service import Service

MIB = 1024 * 1024


def problem(response: httpx2.Response, status: int, error: str) -> str:
    """Return the sentence of a refusal."""
    assert (response.status_code, response.json()["error"]) == (status, error), response.text
    return str(response.json()["error_description"])


@pytest.mark.parametrize("data", [b"\xff\xfeN\0o\0", b"caf\xe9", b"\x80", b"ok \xed\xa0\x80"], ids=repr)
def test_note_that_is_not_utf8(client: Client, folder: Path, data: bytes) -> None:
    """Is refused with the place where it goes wrong, listed, and found by its name."""
    (folder / "latin.md").write_bytes(b"# " + data)
    path = f"{folder.name}/latin.md"
    assert "not UTF-8 from byte" in problem(client.get(f"/api/notes/{path}"), 422, "not_text")
    assert "not UTF-8" in client.failure("read", path=path)
    client.answer("write", path=f"{folder.name}/good.md", text="# Good")
    assert [note["title"] for note in client.answer("list", folder=folder.name)["notes"]] == ["Good", "latin"]
    assert client.answer("search", query=f"{folder.name} latin")["results"][0]["id"] == path


def test_note_of_50_mb(service: Service, client: Client, folder: Path) -> None:
    """Is refused with both sizes, and neither read nor indexed."""
    with (folder / "big.md").open("wb") as stream:
        stream.write(b"# elephantine\n")
        stream.truncate(50 * MIB)
    path = f"{folder.name}/big.md"
    sentence = problem(client.get(f"/api/notes/{path}"), 413, "too_large")
    assert str(50 * MIB) in sentence and str(MIB) in sentence
    assert sentence in client.failure("read", path=path)
    client.answer("write", path=f"{folder.name}/good.md", text="# Good")
    assert client.answer("search", query="elephantine")["results"] == []
    assert [note["size"] for note in client.answer("list", folder=folder.name)["notes"]] == [50 * MIB, 6]


def test_note_of_the_largest_size(client: Client, folder: Path) -> None:
    """One byte more is too much, on either way in."""
    path = f"{folder.name}/note.md"
    assert client.put(f"/api/notes/{path}", json={"text": "회" * (MIB // 3)}).status_code == 201
    assert client.get(f"/api/notes/{path}").json()["size"] == MIB // 3 * 3
    text = "x" * (MIB + 1)
    problem(client.put(f"/api/notes/{path}", json={"text": text}), 413, "too_large")
    assert "1048577 bytes" in client.failure("write", path=path, text=text)
    assert client.get(f"/api/notes/{path}").json()["size"] == MIB // 3 * 3


@pytest.mark.parametrize("path", ["/api/notes/huge.md", "/mcp"])
def test_body_of_50_mb(service: Service, client: Client, path: str) -> None:
    """Is not even read, and costs no memory."""
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    method = "POST" if path == "/mcp" else "PUT"
    before = resident(service.pid)
    try:
        response = client.request(method, path, content=b'{"text": "' + b"x" * 50 * MIB + b'"}', headers=headers)
        assert response.status_code == 413
    except (httpx2.WriteError, httpx2.ReadError):
        pass  # The answer came, and the connection went, before all was sent.
    assert resident(service.pid) - before < 30
    assert not (service.vault / "huge.md").exists()


def resident(pid: int) -> float:
    """Return the memory of a process, MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def test_half_a_surrogate_is_not_written(client: Client, service: Service) -> None:
    """What JSON can say and UTF-8 cannot."""
    response = client.put(
        "/api/notes/surrogate.md", content=b'{"text": "\\ud800"}', headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 422
    assert not (service.vault / "surrogate.md").exists()


def test_name_that_no_client_can_say_is_left_out(client: Client, folder: Path) -> None:
    """Not UTF-8, odd or too long: it is not read, so it is not listed; the others are."""
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.md")).write_text("x")
    for name in ("back\\slash.md", "tab\t.md", "next\x85line.md", f"{'x' * 240}.md"):
        (folder / name).write_text("x")
        problem(client.get(f"/api/notes/{folder.name}/{quote(name)}"), 403, "bad_path")
    client.answer("write", path=f"{folder.name}/good.md", text="# Good")
    assert [note["path"] for note in client.answer("list", folder=folder.name)["notes"]] == [f"{folder.name}/good.md"]


@pytest.mark.parametrize("failing", ["full", "read-only"])
def test_disk_that_takes_nothing(own_issuer: Issuer, tmp_path: Path, failing: str) -> None:
    """The old note stays as it was, and no half of a new one beside it."""
    service = Service(tmp_path, own_issuer.url)
    options = "size=256k" if failing == "full" else "size=1m"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "loop-test", str(service.vault)], check=False)
    if mounted.returncode:
        pytest.skip("no right to mount a file system")
    try:
        (service.vault / "note.md").write_text("old")
        if failing == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", str(service.vault)], check=True)
        service.start()
        with service.client(own_issuer.token()) as client:
            text = "x" * 900_000
            sentence = problem(client.put("/api/notes/note.md", json={"text": text}), 507, "not_stored")
            assert "the vault is as it was" in sentence
            assert "was not stored" in client.failure("write", path="note.md", text=text)
            assert client.get("/api/notes/note.md").json()["text"] == "old"
        assert [path.name for path in service.vault.iterdir()] == ["note.md"]
        assert "Traceback" not in service.log.read_text()
    finally:
        service.stop()
        subprocess.run(["umount", str(service.vault)], check=True)


def every_call_says_gone(client: Client) -> None:
    """Hold every way into the vault to 503, or a tool's failure, with a sentence."""
    rest = [
        client.get("/api/notes"),
        client.get("/api/search", params={"q": "vault"}),
        client.get("/api/notes/README.md"),
        client.put("/api/notes/new.md", json={"text": "x"}),
        client.put("/api/notes/deep/new.md", json={"text": "x"}),
    ]
    for response in rest:
        assert "The vault is not there" in problem(response, 503, "vault_gone")
        assert int(response.headers["retry-after"]) > 0
    tools: dict[str, dict[str, str]] = {
        "list": {},
        "search": {"query": "vault"},
        "read": {"path": "README.md"},
        "fetch": {"id": "README.md"},
        "write": {"path": "deep/new.md", "text": "x"},
    }
    for name, arguments in tools.items():
        assert "The vault is not there" in client.failure(name, **arguments)
    assert client.get("/health").status_code == 200


def test_vault_that_vanishes(own_service: Service, own_issuer: Issuer) -> None:
    """Every call says so at once, nothing is written into the bare mount point, and all is back with the vault."""
    vault, aside = own_service.vault, own_service.vault.with_name("aside")
    own_service.start()
    with own_service.client(own_issuer.token(EVERY_SCOPE)) as client:
        for left in ("nothing", "a file", "bare mount point", "mount point with exec's"):
            assert client.answer("search", query="practise")["results"], left
            vault.rename(aside)
            if left == "a file":
                vault.write_text("")
            elif left != "nothing":
                (vault / "exec" if "exec" in left else vault).mkdir(parents=True)
            every_call_says_gone(client)
            if left == "bare mount point":
                # When the index would look again.
                time.sleep(2.1)
                every_call_says_gone(client)
            if left == "a file":
                assert vault.read_text() == ""
                vault.unlink()
            elif left != "nothing":
                assert [path for path in vault.rglob("*") if path.name != "exec"] == []
                shutil.rmtree(vault)
            aside.rename(vault)
        assert client.answer("search", query="practise")["results"]
        assert client.answer("list")["notes"]
    assert "Traceback" not in own_service.log.read_text()


def test_vault_that_is_removed_while_held(own_service: Service, own_issuer: Issuer) -> None:
    """As a bind mount sees it: the directory goes on, without a name and for ever empty."""
    own_service.start()
    with own_service.client(own_issuer.token()) as client:
        assert client.answer("list")["notes"]
        shutil.rmtree(own_service.vault)
        every_call_says_gone(client)
    assert not own_service.vault.exists()


def test_vault_that_is_not_there_at_the_start(own_service: Service, own_issuer: Issuer) -> None:
    """It starts, says so, and finds the vault once it is mounted."""
    aside = own_service.vault.with_name("aside")
    own_service.vault.rename(aside)
    own_service.start()
    with own_service.client(own_issuer.token()) as client:
        every_call_says_gone(client)
        aside.rename(own_service.vault)
        assert client.answer("list")["notes"][0]["path"] == "README.md"
    assert "Traceback" not in own_service.log.read_text()


def test_emptied_vault_is_empty_and_not_gone(own_service: Service, own_issuer: Issuer) -> None:
    """Its last note was deleted; the next one can be written."""
    own_service.start()
    with own_service.client(own_issuer.token()) as client:
        assert client.answer("list")["notes"]
        (own_service.vault / "README.md").unlink()
        own_service.exec_vault.rmdir()
        time.sleep(2.1)
        assert client.answer("list")["notes"] == []
        assert client.answer("write", path="first.md", text="x")["created"]


def test_what_is_written_is_listed(client: Client, folder: Path) -> None:
    """As deep as it may lie; what would be too deep is not written, also through a link."""
    deepest = "/".join([folder.name, *["d"] * 31])
    written = [f"{deepest}/note.md", f"{folder.name}/{'회' * 79}.md"]
    for path in written:
        assert client.put(f"/api/notes/{path}", json={"text": "# Here"}).status_code == 201
    (folder / "link").symlink_to(folder.joinpath(*["d"] * 31))
    for path in (f"{deepest}/d/note.md", f"{folder.name}/link/d/note.md"):
        problem(client.put(f"/api/notes/{path}", json={"text": "x"}), 403, "bad_path")
    assert not folder.joinpath(*["d"] * 32).exists()
    assert {note["path"] for note in client.answer("list", folder=folder.name)["notes"]} == set(written)


def test_folder_that_cannot_be_listed_hides_nothing_else(client: Client, folder: Path) -> None:
    """A deep or odd tree is walked as far as it goes."""
    deep = folder.joinpath(*["d"] * 40)
    deep.mkdir(parents=True)
    (deep / "lost.md").write_text("x")
    client.answer("write", path=f"{folder.name}/good.md", text="# Good")
    assert [note["path"] for note in client.answer("list", folder=folder.name)["notes"]] == [f"{folder.name}/good.md"]
