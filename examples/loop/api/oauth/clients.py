"""The registered clients (RFC 7591), and the model of a client that Authlib asks for."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from dataclasses import dataclass

from authlib.oauth2.rfc6749 import ClientMixin

from api.oauth import redirects
from api.oauth.credentials import digest
from api.oauth.credentials import same
from api.oauth.scopes import granted_scope
from api.oauth.settings import DAY

#: How a client may say who it is at /token and /revoke.
AUTH_METHODS = ["none", "client_secret_post", "client_secret_basic"]

#: A client that got no token is forgotten after a day; one without a grant after its last refresh token's longest life.
UNUSED_LIFE = DAY
#: So many clients may wait for their first token; one more pushes out the oldest that had this long, in seconds.
MOST_UNUSED = 500
UNTOUCHED = 900

#: The most characters of a name.
LONGEST_NAME = 100


@dataclass(frozen=True)
class Client(ClientMixin):
    """A client, by registration or by its metadata document; the latter's id is an https URL."""

    id: str
    name: str
    redirect_uris: tuple[str, ...]
    auth_method: str = "none"
    secret_hash: str | None = None

    def get_client_id(self) -> str:
        """Return the id."""
        return self.id

    def get_default_redirect_uri(self) -> str:
        """Return the only redirect URI, or nothing: one of several must be named (RFC 6749, section 3.1.2.3)."""
        return self.redirect_uris[0] if len(self.redirect_uris) == 1 else ""

    def get_allowed_scope(self, scope: str | None) -> str:
        """Return what a request for ``scope`` may get."""
        return granted_scope(scope)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Tell whether the URI is registered."""
        return any(redirects.matches(registered, redirect_uri) for registered in self.redirect_uris)

    def check_client_secret(self, client_secret: str) -> bool:
        """Compare the secret's hash in constant time."""
        return self.secret_hash is not None and same(self.secret_hash, digest(client_secret))

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """A client with a secret may send it either way; one without needs none."""
        return (method == "none") == (self.secret_hash is None)

    def check_response_type(self, response_type: str) -> bool:
        """Every client uses codes."""
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        """Every client gets a code and refresh tokens."""
        return grant_type in ("authorization_code", "refresh_token")


class TooManyClients(Exception):
    """No further client can be registered for now."""


def readable_name(name: str) -> str:
    """Return a client's name fit to be shown: in one line, with nothing that hides or turns text."""
    line = " ".join("".join(char if char.isprintable() else " " for char in name).split())
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…"


def find_client(connection: sqlite3.Connection, client_id: str) -> Client | None:
    """Return the registered client."""
    row = connection.execute("SELECT * FROM clients WHERE id = ?", [client_id]).fetchone()
    if row is None:
        return None
    uris = tuple(json.loads(row["redirect_uris"]))
    return Client(row["id"], row["name"], uris, row["auth_method"], row["secret_hash"])


def add_client(
    connection: sqlite3.Connection, name: str, redirect_uris: list[str], auth_method: str, secret: str | None
) -> Client:
    """Register a client, or raise TooManyClients."""
    _make_room(connection)
    secret_hash = None if secret is None else digest(secret)
    client = Client(secrets.token_urlsafe(16), name, tuple(redirect_uris), auth_method, secret_hash)
    connection.execute(
        "INSERT INTO clients VALUES (?, ?, ?, ?, ?, ?, NULL)",
        [client.id, name, json.dumps(redirect_uris), secret_hash, auth_method, int(time.time())],
    )
    return client


def mark_used(connection: sqlite3.Connection, client_id: str) -> None:
    """Keep a client that got a token."""
    connection.execute("UPDATE clients SET used_at = ? WHERE id = ?", [int(time.time()), client_id])


def prune_clients(connection: sqlite3.Connection, refresh_token_life: int) -> None:
    """Forget clients that never got a token, and those whose last grant is long over."""
    now = int(time.time())
    connection.execute("DELETE FROM clients WHERE used_at IS NULL AND created_at <= ?", [now - UNUSED_LIFE])
    connection.execute(
        "DELETE FROM clients WHERE used_at <= ? AND id NOT IN (SELECT client_id FROM grants)",
        [now - refresh_token_life],
    )


def _make_room(connection: sqlite3.Connection) -> None:
    # Whoever floods the registration must not keep the owner's next client out.
    unused = connection.execute("SELECT count(*) FROM clients WHERE used_at IS NULL").fetchone()[0]
    if unused < MOST_UNUSED:
        return
    oldest = connection.execute(
        "SELECT id FROM clients WHERE used_at IS NULL AND created_at <= ? ORDER BY created_at LIMIT 1",
        [int(time.time()) - UNTOUCHED],
    ).fetchone()
    if oldest is None:
        raise TooManyClients
    connection.execute("DELETE FROM clients WHERE id = ?", [oldest["id"]])
