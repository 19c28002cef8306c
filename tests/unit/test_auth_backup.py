"""Backups of an authorization server's database and keys, with a real SQLite and a scripted engine."""

from __future__ import annotations

import itertools
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.unit.conftest import Outcome
from tests.unit.conftest import Run
from tests.unit.scripted_engine import Clock
from tests.unit.scripted_engine import Container
from tests.unit.scripted_engine import ScriptedEngine


class Auth:
    """What loop-auth knows, and its backups."""

    def __init__(self, root: Path) -> None:
        self.database, self.keys, self.backups = root / "oauth" / "oauth.db", root / "oauth" / "keys", root / "backups"
        self.keys.mkdir(parents=True)
        (self.keys / "k1.pem").write_text("key 1")
        self.writer = sqlite3.connect(self.database)
        self.writer.execute("PRAGMA journal_mode=WAL")
        self.writer.execute("PRAGMA wal_autocheckpoint=0")
        self.writer.execute("CREATE TABLE users (name)")
        self.sign_up("ann")

    def sign_up(self, name: str) -> None:
        """Add a user; it stays in the write-ahead log."""
        self.writer.execute("INSERT INTO users VALUES (?)", [name])
        self.writer.commit()

    def users(self, path: Path | None = None) -> list[str]:
        """Return the names of the users in a database."""
        with closing(sqlite3.connect(path or self.database)) as database:
            return [name for (name,) in database.execute("SELECT name FROM users ORDER BY name")]

    def names(self) -> list[str]:
        """Return the names of the backups, the oldest first."""
        return sorted(path.name for path in self.backups.iterdir())


@pytest.fixture
def auth(tmp_path: Path) -> Iterator[Auth]:
    """Let an authorization server know a user and a key."""
    auth = Auth(tmp_path)
    yield auth
    auth.writer.close()


def module(run: Run, auth: Auth, check_mode: bool = False, **more: Any) -> Outcome:
    """Run the module."""
    paths = {"database": str(auth.database), "keys": str(auth.keys), "directory": str(auth.backups)}
    return run("auth_backup", check_mode, **paths, **more)


def test_backup_has_what_is_only_in_the_log(run: Run, auth: Auth) -> None:
    """A copy of the file alone would not."""
    copied = auth.database.parent / "copy.db"
    copied.write_bytes(auth.database.read_bytes())
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        auth.users(copied)
    kind, result = module(run, auth)
    made = auth.backups / result["backup"]
    assert (kind, auth.users(made / "oauth.db")) == ("ok", ["ann"])
    assert (made / "keys" / "k1.pem").read_text() == "key 1"


def test_backup_is_whole_and_readable_by_root_alone(run: Run, auth: Auth) -> None:
    """One file without companions, and nothing half made beside it."""
    made = auth.backups / module(run, auth)[1]["backup"]
    assert sorted(path.name for path in made.iterdir()) == ["keys", "oauth.db"]
    assert [path.stat().st_mode & 0o077 for path in (auth.backups, made, made / "oauth.db")] == [0, 0, 0]
    assert auth.names() == [made.name]


def test_five_newest_backups_are_kept(run: Run, auth: Auth, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest ones go."""
    made = []
    for second in range(7):
        monkeypatch.setattr(clock, "strftime", lambda *_, second=second: f"20261122T08000{second}Z", raising=False)
        made.append(module(run, auth)[1]["backup"])
    assert auth.names() == made[-5:]


def test_two_backups_of_the_same_second_are_two(
    run: Run, auth: Auth, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for the verb, one for the restore."""
    monkeypatch.setattr(clock, "strftime", lambda *_: "20261122T080000Z", raising=False)
    first, second = module(run, auth)[1]["backup"], module(run, auth)[1]["backup"]
    assert auth.names() == [first, second]


@pytest.mark.parametrize("directory", [True, False])
def test_nothing_to_back_up_is_no_failure(run: Run, auth: Auth, directory: bool) -> None:
    """A first deployment; who brought nothing back would lose the keys that were made since."""
    (auth.keys / "k1.pem").unlink()
    auth.keys.rmdir()
    if directory:
        (auth.keys / "@eaDir").mkdir(parents=True)
    auth.database.unlink()
    assert module(run, auth) == ("ok", {"changed": False, "backup": ""})
    assert not auth.backups.exists()


def test_check_mode_makes_none(run: Run, auth: Auth) -> None:
    """It says that it would."""
    assert module(run, auth, check_mode=True) == ("ok", {"changed": True, "backup": ""})
    assert not auth.backups.exists()


def test_damaged_database_is_no_backup(run: Run, auth: Auth) -> None:
    """A backup that cannot be read is worse than none."""
    auth.writer.close()
    auth.database.write_bytes(b"garbage" * 1000)
    kind, result = module(run, auth)
    assert kind == "failed" and "cannot be backed up (file is not a database)" in result["msg"]
    assert not [name for name in auth.names() if not name.endswith(".partial")]


def test_full_disk_is_named(run: Run, auth: Auth) -> None:
    """A file in the directory's place stands for a disk that takes no more."""
    auth.backups.touch()
    assert "free space on the NAS; nothing was touched." in module(run, auth)[1]["msg"]


def test_python_without_sqlite_is_named(run: Run, auth: Auth, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a backup loop-auth is not replaced."""
    monkeypatch.setitem(sys.modules, "sqlite3", None)
    assert "set ansible_python_interpreter to one that has it" in module(run, auth)[1]["msg"]


@pytest.fixture
def server(engine: ScriptedEngine) -> Container:
    """Let the container run that uses the files."""
    return engine.add("loop-auth", run=True)


def restore(run: Run, auth: Auth, engine: ScriptedEngine, backup: str = "latest", **more: Any) -> Outcome:
    """Bring a backup back."""
    state = str(Path(engine.path).parent)
    wanted: dict[str, Any] = {"backup": backup, "container": "loop-auth", "state_dir": state, "socket": engine.path}
    return module(run, auth, state="restored", **wanted, **more)


@pytest.fixture
def backup(run: Run, auth: Auth) -> str:
    """Make a backup; since then a user signed up, and the keys were exchanged."""
    name: str = module(run, auth)[1]["backup"]
    auth.sign_up("bob")
    (auth.keys / "k1.pem").unlink()
    (auth.keys / "k2.pem").write_text("key 2")
    return name


def test_backup_is_brought_back_and_what_was_is_one_now(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backup: str
) -> None:
    """The running one's log does not get mixed in, and the service comes back as it was."""
    engine.clock.now = begun = 5000.0
    kind, result = restore(run, auth, engine)
    assert (kind, result["restored"]) == ("ok", backup)
    assert server.stopping < result["gap"] < engine.clock.now - begun
    assert auth.users() == ["ann"] and [path.name for path in auth.keys.iterdir()] == ["k1.pem"]
    made = auth.backups / result["backup"]
    assert auth.users(made / "oauth.db") == ["ann", "bob"] and (made / "keys" / "k2.pem").exists()
    assert (server.status, server.starts, server.policy) == ("running", 2, "unless-stopped")


def test_keys_directory_stays_the_same(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backup: str
) -> None:
    """loop-api has it mounted, and would go on reading the old one."""
    before = auth.keys.stat().st_ino
    restore(run, auth, engine, backup)
    assert auth.keys.stat().st_ino == before


def test_backup_that_does_not_work_gives_way_to_what_was(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backup: str
) -> None:
    """The message says why, with the container's last words, what runs, and for how long it did not."""
    server.refusal, server.log, server.release = "database is of another version", ["a"], "r1"
    engine.hook = lambda: setattr(server, "refusal", "" if seen_starts(engine) > 1 else server.refusal)
    kind, result = restore(run, auth, engine)
    assert kind == "failed"
    assert f"loop-auth does not work with the backup {backup} (database is of another version)" in result["msg"]
    away = f"release r1 runs again; loop-auth was away for {result['gap']:.1f} s"
    assert result["msg"].partition("its last log lines: a; ")[2].endswith(away)
    assert result["rolled_back"] is True and result["gap"] > server.stopping
    assert auth.users() == ["ann", "bob"] and [path.name for path in auth.keys.iterdir()] == ["k2.pem"]
    assert (server.status, server.policy) == ("running", "unless-stopped")


def seen_starts(engine: ScriptedEngine) -> int:
    """Return how often a container was to be started, the next time counted."""
    return 1 + sum(request.endswith("/start") and "/containers/" in request for request in engine.seen)


def test_second_failure_says_what_is_down(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backup: str
) -> None:
    """What it had before is a backup, and the operator learns its name."""
    server.refusal = "no such file"
    kind, result = restore(run, auth, engine)
    assert kind == "failed"
    (made,) = [name for name in auth.names() if name != backup]
    assert result["rolled_back"] is False and "loop-auth is down; loop-auth was away for" in result["msg"]
    assert f"that is the backup {made}: mend the cause and run `loopdeploy restore --auth {made}`" in result["msg"]
    # Else the next run, that one among them, would try the same again first.
    assert not Path(engine.path).with_name("restore-loop-auth.json").exists()


def test_full_list_of_backups_does_not_lose_the_wanted_one(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest one is asked for, again and again, and one more is made each time."""
    seconds = itertools.count()
    monkeypatch.setattr(clock, "strftime", lambda *_: f"20261122T{next(seconds):06}Z", raising=False)
    oldest = module(run, auth)[1]["backup"]
    auth.sign_up("bob")
    for _ in range(4):
        module(run, auth)
    for name in ("carl", "dora"):
        kind, result = restore(run, auth, engine, oldest)
        assert (kind, result["restored"], auth.users()) == ("ok", oldest, ["ann"])
        auth.writer = sqlite3.connect(auth.database)
        auth.sign_up(name)
    assert len(auth.names()) == 6 and auth.names()[0] == oldest


@pytest.mark.parametrize("wanted", ["20200101T000000Z", "..", ""])
def test_missing_backup_names_those_that_there_are(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backup: str, wanted: str
) -> None:
    """What the operator can type instead."""
    assert restore(run, auth, engine, wanted)[1]["msg"].endswith(f"there are: {backup}.")
    assert server.starts == 1


def test_restore_needs_a_container(run: Run, auth: Auth, engine: ScriptedEngine, backup: str) -> None:
    """Nothing was touched."""
    assert "There is no container loop-auth" in restore(run, auth, engine)[1]["msg"]
    assert auth.users() == ["ann", "bob"]


def test_restore_in_check_mode_touches_nothing(
    run: Run, auth: Auth, engine: ScriptedEngine, server: Container, backup: str
) -> None:
    """It says which one it would bring back."""
    assert restore(run, auth, engine, check_mode=True)[1]["restored"] == backup
    assert engine.seen == [] and auth.names() == [backup]


def test_directories_of_the_nas_are_left_alone(run: Run, auth: Auth, engine: ScriptedEngine) -> None:
    """DSM puts @eaDir into every shared folder."""
    engine.add("loop-auth", run=True, port=None)
    (auth.keys / "@eaDir").mkdir()
    made = module(run, auth)[1]["backup"]
    assert [path.name for path in (auth.backups / made / "keys").iterdir()] == ["k1.pem"]
    (auth.keys / "k2.pem").write_text("key 2")
    kind, _ = restore(run, auth, engine, backup=made)
    assert kind == "ok"
    assert sorted(path.name for path in auth.keys.iterdir()) == ["@eaDir", "k1.pem"]


def test_damaged_database_is_no_obstacle_to_a_restore(
    run: Run, auth: Auth, engine: ScriptedEngine, tmp_path: Path
) -> None:
    """What is damaged is kept as it is, and the good one comes back."""
    engine.add("loop-auth", run=True, port=None)
    made = module(run, auth)[1]["backup"]
    auth.writer.close()
    auth.database.write_bytes(b"no database at all" * 1000)
    kind, result = restore(run, auth, engine, backup=made)
    assert (kind, auth.users()) == ("ok", ["ann"])
    assert (auth.backups / result["backup"] / "oauth.db").read_bytes().startswith(b"no database")


def test_restore_follows_no_symbolic_link(run: Run, auth: Auth, engine: ScriptedEngine, tmp_path: Path) -> None:
    """The directory is one that loop-auth can write."""
    engine.add("loop-auth", run=True, port=None)
    made = module(run, auth)[1]["backup"]
    (tmp_path / "victim").write_text("safe")
    (auth.database.parent / "oauth.db.restored").symlink_to(tmp_path / "victim")
    assert restore(run, auth, engine, backup=made)[0] == "ok"
    assert (tmp_path / "victim").read_text() == "safe"
