"""What a search costs: the notes are read when they change, not when somebody searches."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from api import index
from api.errors import VaultGone
from api.index import Index
from api.notes import Notes
from api.scopes import ALL
from api.vault import Found
from api.vault import Place
from api.vault import Vault
from api.vault import read_bytes

HOUR = 3600.0
LOOK_AGAIN = index.LOOK_AGAIN_SECONDS


class Reading:
    """Reads notes for an index, and counts which."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.read: list[str] = []

    def __call__(self, note: Found) -> tuple[str, str]:
        """Return the title and the text."""
        self.read.append(note.path)
        return note.path, (self.root / note.path).read_text()


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    """Make a vault of a hundred notes that were written an hour ago."""
    for number in range(100):
        write(tmp_path / f"{number}.md", "red house", HOUR)
    return Reading(tmp_path)


@pytest.fixture
def notes(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """Make their index, which looks at the vault at each search."""
    monkeypatch.setattr(index, "LOOK_AGAIN_SECONDS", 0.0)
    notes = Index(Vault(reading.root, reading.root / "exec"), reading)
    yield notes
    notes.close()


def write(file: Path, text: str, age: float) -> None:
    """Write a note that is ``age`` seconds old."""
    file.write_text(text)
    os.utime(file, (time.time() - age,) * 2)


def found(notes: Index, word: str) -> set[str]:
    """Return the paths that a search finds."""
    return {path for path, _, _ in notes.search(word, True, 1000)}


def test_search_reads_a_note_once(notes: Index, reading: Reading) -> None:
    """A vault has thousands, and a client searches in every sentence."""
    for _ in range(3):
        assert len(found(notes, "house")) == 100
    assert len(reading.read) == 100


def test_search_reads_what_changed_alone(notes: Index, reading: Reading) -> None:
    """Also a change that came by git pull, beside the service; what is gone is not found, and not looked for."""
    found(notes, "house")
    write(reading.root / "7.md", "red boat", HOUR / 2)
    write(reading.root / "new.md", "blue boat", HOUR / 2)
    (reading.root / "8.md").unlink()
    reading.read.clear()
    assert found(notes, "boat") == {"7.md", "new.md"}
    assert sorted(reading.read) == ["7.md", "new.md"]
    assert "8.md" not in found(notes, "house") and len(reading.read) == 2


def test_note_that_may_still_change_is_read_once_more(notes: Index, reading: Reading) -> None:
    """Within a clock's tick a file changes without its time changing."""
    write(reading.root / "7.md", "red boat", 0)
    found(notes, "house")
    reading.read.clear()
    found(notes, "house")
    assert reading.read == ["7.md"]


def test_note_from_a_clock_that_was_set_back_is_read_once(notes: Index, reading: Reading) -> None:
    """Its time stays in the future for long; the rest of its signature tells a change."""
    write(reading.root / "7.md", "red boat", -HOUR)
    found(notes, "house")
    reading.read.clear()
    found(notes, "house")
    assert reading.read == []
    write(reading.root / "7.md", "red house", -HOUR)
    assert "7.md" in found(notes, "house")


@pytest.fixture
def own(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notes]:
    """Return the notes as clients have them."""
    monkeypatch.setattr(index, "LOOK_AGAIN_SECONDS", 0.0)
    own = Notes(Vault(reading.root, reading.root / "exec"), "https://mcp.example.com")
    yield own
    own.close()


def test_note_whose_disk_fails_for_a_moment_is_read_at_the_next_look(
    own: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile it is there by its name; and no other note suffers."""

    def fail(place: Place) -> tuple[bytes, os.stat_result]:
        if place.name == "7.md":
            raise VaultGone("The vault is not there.")
        return read_bytes(place)

    def hits(word: str) -> set[str]:
        return {result.id for result in own.search(word, 1000, frozenset(ALL)).results}

    with monkeypatch.context() as failing:
        failing.setattr("api.notes.read_bytes", fail)
        assert len(hits("house")) == 99 and "7.md" in hits("7.md")
    assert len(hits("house")) == 100


def test_vault_is_not_looked_at_in_every_search(
    notes: Index, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look costs a stat of every note."""
    monkeypatch.setattr(index, "LOOK_AGAIN_SECONDS", LOOK_AGAIN)
    found(notes, "house")
    write(reading.root / "new.md", "blue boat", HOUR / 2)
    assert found(notes, "boat") == set()
    notes.expire()
    assert found(notes, "boat") == {"new.md"}
