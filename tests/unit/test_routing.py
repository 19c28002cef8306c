"""Where Ansible's plugins went to is kept from one run to the next."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ansible.utils.collection_loader import _collection_finder

from loopdeploy.routing import _kept
from loopdeploy.routing import keep_routing

Read = Callable[[bytes | str, object], Any]
RUNTIME = b"plugin_routing:\n  modules:\n    old: {redirect: ns.coll.new}\nrequires_ansible: 2.10\n"
ROUTING = {"plugin_routing": {"modules": {"old": {"redirect": "ns.coll.new"}}}, "requires_ansible": "2.10"}


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[object]:
    """Count how often Ansible itself reads; the operator has an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    own: Read = _collection_finder._meta_yml_to_dict
    read: list[object] = []

    def counted(text: bytes | str, content_id: object) -> Any:
        read.append(content_id)
        return own(text, content_id)

    monkeypatch.setattr(_collection_finder, "_meta_yml_to_dict", counted)
    keep_routing()
    return read


def routing(text: bytes | str = RUNTIME) -> Any:
    """Return what Ansible gets."""
    return _collection_finder._meta_yml_to_dict(text, ("ns.coll", "runtime.yml"))


def test_it_is_read_once(times: list[object], tmp_path: Path) -> None:
    """And is the same the second time, by the operator alone."""
    assert [routing(), routing(), routing(RUNTIME.decode())] == [ROUTING] * 3
    assert len(times) == 1
    (file,) = (tmp_path / "loopdeploy" / "routing").iterdir()
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_another_text_is_read(times: list[object]) -> None:
    """An upgrade must not go yesterday's ways."""
    routing()
    assert routing(RUNTIME.replace(b"new", b"newer")) != ROUTING
    assert len(times) == 2


@pytest.mark.parametrize("damage", ["", "{", "[]x"])
def test_what_is_damaged_is_read_again(times: list[object], tmp_path: Path, damage: str) -> None:
    """A disk was full, or the power cut."""
    routing()
    (file,) = (tmp_path / "loopdeploy" / "routing").iterdir()
    file.write_text(damage)
    assert routing() == ROUTING
    assert len(times) == 2


def test_without_a_place_it_is_read_each_time(times: list[object], tmp_path: Path) -> None:
    """A home that cannot be written to is no failure."""
    (tmp_path / "loopdeploy").write_text("a file")
    assert [routing(), routing()] == [ROUTING, ROUTING]
    assert len(times) == 2


def test_what_is_no_json_is_read_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An Ansible that reads a date without quotes as one still gets it; nothing half written is left."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    dated = {**ROUTING, "removal_date": date(2030, 1, 1)}
    assert _kept(RUNTIME, lambda: dated) == _kept(RUNTIME, lambda: dated) == dated
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_full_disk_leaves_no_half(times: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each run would leave one more."""

    def full(*arguments: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.replace", full)
    assert routing() == ROUTING
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]
