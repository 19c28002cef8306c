"""A database that is locked, read-only, corrupt, gone, or on a mount without shared memory."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from api.oauth.database import Database
from api.oauth.database import DatabaseUnavailable
from api.oauth.schema import VERSIONS

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.auth.conftest import Auth
from tests.services.auth.conftest import Make
from tests.services.oauth_client import OAuthClient
from tests.services.oauth_client import Pkce


def journal(path: Path) -> str:
    """Return the journal mode in the file."""
    with closing(sqlite3.connect(path)) as connection:
        mode: str = connection.execute("PRAGMA journal_mode").fetchone()[0]
        return mode


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the write lock as another process would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def require_503(answer: httpx.Response) -> None:
    """Say that it passes, and when to come again."""
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["cache-control"] == "no-store"


def require_out_of_order(auth: Auth, client: OAuthClient, reason: str) -> None:
    """Every route that needs the database says so; the others answer, and the log has a sentence."""
    page = client.authorize_url(Pkce())
    asked: list[Callable[[], httpx.Response]] = [
        lambda: client.refresh("x"),
        lambda: client.post("/revoke", token="x"),
        lambda: client.register(),
        lambda: client.browser().get(page),
    ]
    with ThreadPoolExecutor(len(asked)) as threads:
        for answer in threads.map(lambda ask: ask(), asked):
            require_503(answer)
    health = client.http.get(client.url("/health"))
    assert (health.status_code, health.json()["status"], health.json()["database"]) == (200, "degraded", reason)
    assert client.http.get(client.url("/.well-known/jwks.json")).status_code == 200
    assert client.http.get(client.url("/.well-known/oauth-authorization-server")).status_code == 200
    assert "Traceback" not in auth.log
    assert str(auth.database) in auth.log


def test_wal_is_used_and_only_the_owner_reads(tmp_path: Path) -> None:
    """Also when the file was there with other rights."""
    path = tmp_path / "oauth.db"
    path.touch(0o666)
    database = Database(path)
    with database.transaction() as connection:
        connection.execute("INSERT INTO users VALUES ('1', 'anna', 'x', 0)")
    assert {file.name for file in tmp_path.iterdir()} == {"oauth.db", "oauth.db-wal", "oauth.db-shm"}
    assert {file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {0o600}
    database.close()
    assert journal(path) == "wal"
    assert os.listdir(tmp_path) == ["oauth.db"]


def test_without_shared_memory_the_rollback_journal_is_used(tmp_path: Path) -> None:
    """A directory in the place of its file: SQLite says "wal" and fails on the first write."""
    path = tmp_path / "oauth.db"
    (tmp_path / "oauth.db-shm").mkdir()
    with Database(path).transaction() as connection:
        connection.execute("INSERT INTO users VALUES ('1', 'anna', 'x', 0)")
    with Database(path).transaction() as connection:
        assert connection.execute("SELECT name FROM users").fetchone()[0] == "anna"
    assert journal(path) == "delete"


def test_a_log_from_another_mount_is_not_lost(tmp_path: Path) -> None:
    """What was committed to the write-ahead log is read where no such log can be."""
    before = tmp_path / "before.db"
    database = Database(before)
    with database.transaction() as connection:
        connection.execute("INSERT INTO users VALUES ('1', 'anna', 'x', 0)")
    path = tmp_path / "oauth.db"
    path.write_bytes(before.read_bytes())
    path.with_name("oauth.db-wal").write_bytes(before.with_name("before.db-wal").read_bytes())
    database.close()
    path.with_name("oauth.db-shm").mkdir()
    with Database(path).transaction() as connection:
        assert connection.execute("SELECT name FROM users").fetchone()[0] == "anna"


def test_what_fails_is_undone(tmp_path: Path) -> None:
    """All of a transaction or nothing."""
    database = Database(tmp_path / "oauth.db")
    with pytest.raises(RuntimeError), database.transaction() as connection:
        connection.execute("INSERT INTO users VALUES ('1', 'anna', 'x', 0)")
        raise RuntimeError
    with database.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone()[0] == 0


def test_a_database_of_a_newer_service_is_left_alone(tmp_path: Path) -> None:
    """PRAGMA user_version says whose it is."""
    path = tmp_path / "oauth.db"
    with Database(path).transaction():
        pass
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(VERSIONS)
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(DatabaseUnavailable, match="newer loop-auth"), Database(path).transaction():
        pass


def test_a_locked_database_costs_nothing_but_time(make: Make, http: httpx.Client) -> None:
    """The refresh token that met the lock is good afterwards; a short lock is not even noticed."""
    auth = make().start()
    auth.command("user", "add", NAME, password=PASSWORD)
    client = auth.client(http)
    token = client.connect(NAME, PASSWORD)["refresh_token"]
    with locked(auth.database), ThreadPoolExecutor(1) as thread:
        listed = thread.submit(auth.command, "user", "list")
        began = time.monotonic()
        require_503(client.refresh(token))
        assert time.monotonic() - began < 4
        require_out_of_order(auth, client, "locked")
        refused = listed.result()
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: ") and "is locked; " in refused.stderr
    assert client.refresh(token).status_code == 200


def test_a_corrupt_database_is_kept_and_a_restored_one_is_found(make: Make, http: httpx.Client) -> None:
    """At the start and later; nothing is written into it."""
    auth = make()
    auth.database.write_bytes(b"not a database " * 1000)
    auth.start()
    client = auth.client(http)
    client.client_id = "x"
    require_out_of_order(auth, client, "corrupt")
    assert auth.database.read_bytes() == b"not a database " * 1000
    assert "restore a backup" in auth.log
    auth.database.unlink()
    with closing(sqlite3.connect(auth.database)) as restored:
        restored.executescript(VERSIONS[0] + "PRAGMA user_version = 1;")
    assert client.register().status_code == 201


def test_a_database_that_vanishes_is_not_begun_anew(make: Make, http: httpx.Client) -> None:
    """An empty one in its place would sign everybody out for good."""
    auth = make().start()
    auth.command("user", "add", NAME, password=PASSWORD)
    client = auth.client(http)
    token = client.connect(NAME, PASSWORD)["refresh_token"]
    away = auth.directory / "away"
    away.mkdir()
    files = list(auth.directory.glob("oauth.db*"))
    for file in files:
        file.rename(away / file.name)
    require_out_of_order(auth, client, "vanished")
    assert not auth.database.exists()
    for file in files:
        (away / file.name).rename(file)
    assert client.refresh(token).status_code == 200


def test_a_read_only_database_loses_nothing(make: Make, http: httpx.Client) -> None:
    """As on a NAS whose volume went read-only; the process has no right to overrule modes."""
    auth = make()
    auth.start().stop()
    for path in (auth.directory, *auth.directory.glob("oauth.db*")):
        path.chmod(0o500 if path.is_dir() else 0o400)
    auth.prefix = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all") * (
        os.geteuid() == 0
    )
    auth.start()
    client = auth.client(http)
    client.client_id = "x"
    require_out_of_order(auth, client, "read-only")
    for path in (auth.directory, *auth.directory.glob("oauth.db*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    assert client.register().status_code == 201
