"""Where loop-auth, which is not root, could lead root by a link in the directory that it writes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.conftest import Run
from tests.unit.scripted_engine import ScriptedEngine
from tests.unit.test_auth_backup import Auth
from tests.unit.test_auth_backup import auth as auth
from tests.unit.test_auth_backup import module
from tests.unit.test_auth_backup import restore

PLACES = {"keys": "keys", "database": "oauth.db", "write-ahead log": "oauth.db-wal"}


class Victim:
    """A directory and a database that are none of loop-auth's business."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        (root / "shadow").write_text("safe")
        with closing(sqlite3.connect(root / "other.db")) as database:
            database.execute("CREATE TABLE users (name)")
            database.execute("INSERT INTO users VALUES ('mallory')")
            database.commit()

    def content(self) -> dict[str, bytes]:
        """Return what there is."""
        return {path.name: path.read_bytes() for path in self.root.iterdir()}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("what", PLACES)
def test_root_is_led_nowhere(
    run: Run, auth: Auth, engine: ScriptedEngine, tmp_path: Path, what: str, late: bool
) -> None:
    """Neither what a backup copies nor what a restore removes is somebody else's, however late the link comes."""
    server, victim = engine.add("loop-auth", run=True, port=None), Victim(tmp_path / "victim")
    made = module(run, auth)[1]["backup"]
    place, before = auth.database.parent / PLACES[what], victim.content()
    aim = {"keys": victim.root, "database": victim.root / "other.db"}.get(what, victim.root / "shadow")

    def lead_astray() -> None:
        # What comes behind that request is the stop.
        if not place.is_symlink() and (not late or "/update" in "".join(engine.seen[-1:])):
            if place.exists():
                place.rename(place.with_name("moved"))
            place.symlink_to(aim)

    engine.hook = lead_astray
    if not late:
        lead_astray()
        kind, result = module(run, auth)
        assert kind == "failed" and f"{place} is a link to {aim}" in result["msg"]
    kind, result = restore(run, auth, engine, backup=made)
    assert kind == "failed" and f"{place} is a link to {aim}" in result["msg"]
    assert victim.content() == before
    assert server.running
    for backup in auth.backups.iterdir():
        assert auth.users(backup / "oauth.db") == ["ann"]
