"""What Ansible packed for the NAS is kept from one run to the next."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from ansible import constants

from loopdeploy import packing


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the operator have an empty cache, and Ansible a temporary directory."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path / "tmp"))
    return tmp_path / "cache" / "loopdeploy" / "modules"


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """Return where Ansible keeps them for one run."""
    return tmp_path / "tmp" / "ansiballz_cache"


@pytest.fixture
def content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let there be one module."""
    module = tmp_path / "roles" / "r" / "library" / "m.py"
    module.parent.mkdir(parents=True)
    module.write_text("a")
    monkeypatch.setattr(packing, "CONTENT", tmp_path)
    return module


def test_modules_are_kept_where_the_next_run_finds_them(cache: Path, link: Path) -> None:
    """Readable by the operator alone."""
    packing.keep_packed_modules()
    kept = link.resolve()
    assert kept.parent == cache and kept.stat().st_mode & 0o777 == 0o700
    link.unlink()
    packing.keep_packed_modules()
    assert link.resolve() == kept


def test_changed_module_is_packed_anew(content: Path, link: Path) -> None:
    """An upgrade must not run yesterday's code."""
    packing.keep_packed_modules()
    before = link.resolve()
    link.unlink()
    content.write_text("ab")
    packing.keep_packed_modules()
    assert link.resolve() != before


@pytest.mark.parametrize("name", ["version", "sys"])
def test_another_version_is_packed_anew(content: Path, link: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Of Ansible or of Python."""
    before = packing._directory()
    other = {"version": lambda package: "0", "sys": type("sys", (), {"version": "0", "path": sys.path})}
    monkeypatch.setattr(packing, name, other[name])
    assert packing._directory() != before


def test_directory_that_others_can_write_is_not_used(link: Path) -> None:
    """What lies there is run on the NAS as root."""
    packing.keep_packed_modules()
    link.resolve().chmod(0o770)
    link.unlink()
    packing.keep_packed_modules()
    assert not link.is_symlink()


def test_place_that_cannot_be_written_is_no_failure(link: Path, tmp_path: Path) -> None:
    """They are packed again, as without loopdeploy."""
    (tmp_path / "cache").touch()
    packing.keep_packed_modules()
    assert not link.is_symlink()


def test_what_other_versions_packed_goes_after_a_while(cache: Path, link: Path) -> None:
    """A version that is in use beside this one keeps its own."""
    for name, age in [("old", 2), ("new", 0.5)]:
        (cache / name).mkdir(parents=True)
        os.utime(cache / name, (time.time() - age * 86_400,) * 2)
    packing.keep_packed_modules()
    assert {path.name for path in cache.iterdir()} == {"new", link.resolve().name}
