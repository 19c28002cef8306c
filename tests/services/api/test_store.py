"""A disk that fails at one step of a write: what its writer is told is what is so."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest
from api.errors import NotStored
from api.notes import Notes
from api.scopes import ALL
from api.vault import Vault

SCOPES = frozenset(ALL)
Fsync = Callable[[int], None]


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Notes]:
    """Return the notes of a vault with one of them."""
    (tmp_path / "old.md").write_text("old")
    notes = Notes(Vault(tmp_path, tmp_path / "exec"), "https://mcp.example.com")
    yield notes
    notes.close()


def failing(of_a_folder: bool) -> Fsync:
    """Return an fsync that fails for folders, or for files."""

    def fsync(file: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode) == of_a_folder:
            raise OSError(errno.EIO, "Input/output error")

    return fsync


def test_note_that_is_in_place_is_said_to_be_stored(
    notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """That its name may not outlive a power cut is for the log."""
    monkeypatch.setattr(os, "fsync", failing(of_a_folder=True))
    assert notes.write("new.md", "new", None, SCOPES).created
    assert not notes.write("old.md", "newer", None, SCOPES).created
    assert [(tmp_path / name).read_text() for name in ("new.md", "old.md")] == ["new", "newer"]
    assert "'new.md' is stored, but a power cut may undo it" in caplog.text


def test_note_that_is_not_stored_leaves_no_folders(
    notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vault is as it was; folders that were there before stay."""
    (tmp_path / "there").mkdir()
    monkeypatch.setattr(os, "fsync", failing(of_a_folder=False))
    for path in ("one/two/new.md", "there/two/new.md", "old.md"):
        with pytest.raises(NotStored, match="the vault is as it was"):
            notes.write(path, "new", None, SCOPES)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["old.md", "there"]
    assert (tmp_path / "old.md").read_text() == "old"


def test_note_below_a_folder_that_cannot_be_made_leaves_none(
    notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk is full halfway."""
    mkdir = os.mkdir

    def full(name: str, mode: int, *, dir_fd: int) -> None:
        if name == "two":
            raise OSError(errno.ENOSPC, "No space left on device")
        mkdir(name, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "mkdir", full)
    with pytest.raises(NotStored, match="'two' was not made: No space left on device"):
        notes.write("one/two/new.md", "new", None, SCOPES)
    assert [path.name for path in tmp_path.rglob("*")] == ["old.md"]
