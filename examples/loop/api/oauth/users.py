"""The people who may sign in, and the browsers in which they did."""

from __future__ import annotations

import re
import secrets
import sqlite3
import time
from dataclasses import dataclass

from api.oauth.credentials import digest
from api.oauth.credentials import new_secret
from api.oauth.settings import DAY
from api.oauth.settings import HOUR

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")

#: How long a browser stays signed in, and how long it is known as one in which its user has signed in; in seconds.
SIGNED_IN = HOUR
KNOWN = 180 * DAY


@dataclass(frozen=True)
class User:
    """A person. The id is the token's ``sub``; a name that is removed and added again gets another."""

    id: str
    name: str
    password: str

    def get_user_id(self) -> str:
        """Return the subject of tokens, for Authlib."""
        return self.id


class UserError(Exception):
    """What was asked cannot be done; the message says why."""


def find_user(connection: sqlite3.Connection, name: str) -> User | None:
    """Return the user called ``name``."""
    return _user(connection.execute("SELECT id, name, password FROM users WHERE name = ?", [name]).fetchone())


def user_by_id(connection: sqlite3.Connection, user_id: str) -> User | None:
    """Return the user whose tokens carry ``user_id``."""
    return _user(connection.execute("SELECT id, name, password FROM users WHERE id = ?", [user_id]).fetchone())


def user_names(connection: sqlite3.Connection) -> list[str]:
    """Return all names, sorted."""
    return [row["name"] for row in connection.execute("SELECT name FROM users ORDER BY name")]


def add_user(connection: sqlite3.Connection, name: str, password_hash: str) -> None:
    """Add a user, or raise UserError."""
    if not NAME.fullmatch(name):
        raise UserError(f"{name!r} is no user name; take up to 32 of a-z, 0-9, dot, dash and underscore.")
    if find_user(connection, name):
        raise UserError(f"The user {name} exists; change the password with: loop-auth user passwd {name}")
    connection.execute(
        "INSERT INTO users VALUES (?, ?, ?, ?)", [secrets.token_hex(8), name, password_hash, int(time.time())]
    )


def remove_user(connection: sqlite3.Connection, name: str) -> None:
    """Remove a user with all sign-ins and tokens, or raise UserError."""
    connection.execute("DELETE FROM users WHERE id = ?", [_existing(connection, name).id])


def change_password(connection: sqlite3.Connection, name: str, password_hash: str) -> None:
    """Set a new password and end every sign-in and grant of the user, or raise UserError."""
    user = _existing(connection, name)
    connection.execute("UPDATE users SET password = ? WHERE id = ?", [password_hash, user.id])
    connection.execute("DELETE FROM browsers WHERE user_id = ?", [user.id])
    connection.execute("DELETE FROM grants WHERE user_id = ?", [user.id])


def sign_in(connection: sqlite3.Connection, user: User, browser: str) -> str:
    """Remember that ``user`` signed in and return the cookie for the browser, which had ``browser`` before."""
    now = int(time.time())
    cookie = new_secret()
    connection.execute("DELETE FROM browsers WHERE hash = ?", [digest(browser)])
    values = [digest(cookie), user.id, now + SIGNED_IN, now + KNOWN]
    connection.execute("INSERT INTO browsers VALUES (?, ?, ?, ?)", values)
    return cookie


def sign_out(connection: sqlite3.Connection, browser: str) -> None:
    """Let the browser's user type the password again next time."""
    connection.execute("UPDATE browsers SET signed_in_until = 0 WHERE hash = ?", [digest(browser)])


def signed_in_user(connection: sqlite3.Connection, browser: str) -> User | None:
    """Return who is signed in in the browser with this cookie."""
    row = connection.execute(
        "SELECT users.id, name, password FROM users JOIN browsers ON user_id = users.id"
        " WHERE hash = ? AND signed_in_until > ?",
        [digest(browser), int(time.time())],
    ).fetchone()
    return _user(row)


def is_known_browser(connection: sqlite3.Connection, browser: str, name: str) -> bool:
    """Tell whether ``name`` has signed in before in the browser with this cookie."""
    row = connection.execute(
        "SELECT 1 FROM users JOIN browsers ON user_id = users.id WHERE hash = ? AND known_until > ? AND name = ?",
        [digest(browser), int(time.time()), name],
    ).fetchone()
    return row is not None


def prune_browsers(connection: sqlite3.Connection) -> None:
    """Forget the browsers that were not used for long."""
    connection.execute("DELETE FROM browsers WHERE known_until <= ?", [int(time.time())])


def _existing(connection: sqlite3.Connection, name: str) -> User:
    user = find_user(connection, name)
    if user is None:
        raise UserError(f"There is no user {name}; see: loop-auth user list")
    return user


def _user(row: sqlite3.Row | None) -> User | None:
    return None if row is None else User(row["id"], row["name"], row["password"])
