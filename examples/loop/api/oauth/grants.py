"""What users allowed: grants, and the codes and refresh tokens that belong to each.

A grant is a family: to delete it revokes all its refresh tokens at once. Used codes and refresh tokens stay until the
grant goes, since one that comes a second time was stolen, or its successor was (RFC 9700, sections 2.2.2 and 4.14).
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from dataclasses import dataclass

from api.oauth.clients import Client
from api.oauth.credentials import digest

#: How long a code lives, in seconds. A client redeems it within seconds.
CODE_LIFE = 60


@dataclass(frozen=True)
class Credential:
    """A code or a refresh token with the grant that it belongs to, for Authlib."""

    hash: str
    grant_id: str
    client_id: str
    user_id: str
    scope: str
    resource: str
    used: bool
    expired: bool
    redirect_uri: str = ""
    code_challenge: str = ""
    code_challenge_method: str = "S256"

    def get_redirect_uri(self) -> str:
        """Return the redirect URI of the authorization request."""
        return self.redirect_uri

    def get_scope(self) -> str:
        """Return the scope that the user allowed."""
        return self.scope

    def check_client(self, client: Client) -> bool:
        """Tell whether ``client`` got it."""
        return self.client_id == client.id


def add_grant(connection: sqlite3.Connection, client_id: str, user_id: str, scope: str, resource: str) -> str:
    """Remember what a user allowed a client and return the grant's id."""
    grant_id = secrets.token_hex(16)
    values = [grant_id, client_id, user_id, scope, resource, int(time.time())]
    connection.execute("INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?)", values)
    return grant_id


def add_code(connection: sqlite3.Connection, grant_id: str, code: str, redirect_uri: str, challenge: str) -> None:
    """Remember a code by its hash."""
    connection.execute(
        "INSERT INTO codes VALUES (?, ?, ?, ?, ?, NULL)",
        [digest(code), grant_id, redirect_uri, challenge, int(time.time()) + CODE_LIFE],
    )


def add_refresh_token(connection: sqlite3.Connection, grant_id: str, token: str, life: int) -> None:
    """Remember a refresh token by its hash, for ``life`` seconds."""
    connection.execute(
        "INSERT INTO refresh_tokens VALUES (?, ?, ?, NULL)", [digest(token), grant_id, int(time.time()) + life]
    )


def find_code(connection: sqlite3.Connection, code: str) -> Credential | None:
    """Return the code, used and expired ones too."""
    row = connection.execute(
        "SELECT hash, grant_id, client_id, user_id, scope, resource, used_at, expires_at, redirect_uri, challenge"
        " FROM codes JOIN grants ON grant_id = id WHERE hash = ?",
        [digest(code)],
    ).fetchone()
    if row is None:
        return None
    return _credential(row, redirect_uri=row["redirect_uri"], code_challenge=row["challenge"])


def find_refresh_token(connection: sqlite3.Connection, token: str) -> Credential | None:
    """Return the refresh token, used and expired ones too."""
    row = connection.execute(
        "SELECT hash, grant_id, client_id, user_id, scope, resource, used_at, expires_at"
        " FROM refresh_tokens JOIN grants ON grant_id = id WHERE hash = ?",
        [digest(token)],
    ).fetchone()
    return None if row is None else _credential(row)


def use_code(connection: sqlite3.Connection, code: Credential) -> None:
    """Let the code never be redeemed again."""
    connection.execute("UPDATE codes SET used_at = ? WHERE hash = ?", [int(time.time()), code.hash])


def use_refresh_token(connection: sqlite3.Connection, token: Credential) -> None:
    """Let the refresh token never be redeemed again."""
    connection.execute("UPDATE refresh_tokens SET used_at = ? WHERE hash = ?", [int(time.time()), token.hash])


def revoke(connection: sqlite3.Connection, grant_id: str) -> None:
    """Revoke every code and refresh token of the grant."""
    connection.execute("DELETE FROM grants WHERE id = ?", [grant_id])


def prune_grants(connection: sqlite3.Connection) -> None:
    """Forget grants that can give no token any more, and refresh tokens that are too old to be worth a theft."""
    now = int(time.time())
    connection.execute("DELETE FROM refresh_tokens WHERE expires_at <= ?", [now])
    connection.execute(
        "DELETE FROM grants WHERE id NOT IN (SELECT grant_id FROM refresh_tokens)"
        " AND id NOT IN (SELECT grant_id FROM codes WHERE expires_at > ?)",
        [now],
    )


def _credential(row: sqlite3.Row, redirect_uri: str = "", code_challenge: str = "") -> Credential:
    return Credential(
        hash=row["hash"],
        grant_id=row["grant_id"],
        client_id=row["client_id"],
        user_id=row["user_id"],
        scope=row["scope"],
        resource=row["resource"],
        used=row["used_at"] is not None,
        expired=row["expires_at"] <= time.time(),
        redirect_uri=redirect_uri,
        code_challenge=code_challenge,
    )
