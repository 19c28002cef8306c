"""The command ``loop-auth`` inside the container: users and signing keys."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from api.oauth import key_files
from api.oauth import users
from api.oauth.credentials import LONGEST
from api.oauth.credentials import SHORTEST
from api.oauth.credentials import hash_password
from api.oauth.database import Database
from api.oauth.database import DatabaseUnavailable
from api.oauth.settings import read_settings


@click.group()
def main() -> None:
    """Manage the users and the signing keys of loop-auth. A running service sees every change at once."""
    os.umask(0o077)


@main.group()
def user() -> None:
    """The people who may sign in."""


@user.command("add")
@click.argument("name")
def user_add(name: str) -> None:
    """Add a user; the password is asked for, or read from standard input."""
    password_hash = hash_password(_new_password())
    with _said_plainly(), _database().transaction() as connection:
        users.add_user(connection, name, password_hash)
    click.echo(f"{name} can sign in now.")


@user.command("list")
def user_list() -> None:
    """List the users."""
    with _said_plainly(), _database().transaction() as connection:
        names = users.user_names(connection)
    click.echo("\n".join(names) or "There is no user; add one with: loop-auth user add NAME")


@user.command("remove")
@click.argument("name")
def user_remove(name: str) -> None:
    """Remove a user with all sign-ins. Access tokens work until they expire."""
    with _said_plainly(), _database().transaction() as connection:
        users.remove_user(connection, name)
    click.echo(f"{name} is removed.")


@user.command("passwd")
@click.argument("name")
def user_passwd(name: str) -> None:
    """Change a password, and end every sign-in and connection made with the old one."""
    password_hash = hash_password(_new_password())
    with _said_plainly(), _database().transaction() as connection:
        users.change_password(connection, name, password_hash)
    click.echo(f"{name} has a new password; every client must be connected again.")


@main.group()
def keys() -> None:
    """The keys that sign the tokens."""


@keys.command("list")
def keys_list() -> None:
    """List the keys and what each is for now."""
    with _said_plainly():
        files = key_files.list_keys(_keys_directory())
        signing = key_files.signing_file(files) if files else None
    for file in files:
        click.echo(f"{file.kid}  {_use(file, signing)}")


@keys.command("rotate")
@click.option("--compromised", is_flag=True, help="Sign with the new key at once and drop all others.")
@click.option(
    "--after", default=key_files.HEAD_START, show_default=True, help="Seconds that the new key is published for first."
)
def keys_rotate(compromised: bool, after: int) -> None:
    """Make a new key.

    It is published at once and signs after a quarter of an hour, when all who verify tokens have seen it. The old key
    stays published until the last token that it signed has expired. With --compromised no old token is accepted once
    loop-api has seen the change, within five minutes; clients then refresh theirs.
    """
    with _said_plainly():
        new = key_files.replace_all(_keys_directory()) if compromised else key_files.rotate(_keys_directory(), after)
    click.echo(f"{new.kid}  {_use(new, new if compromised else None)}")


def _use(file: key_files.KeyFile, signing: key_files.KeyFile | None) -> str:
    if file == signing:
        return "signs"
    if not file.private or (signing is not None and file < signing):
        return "is published for the tokens that it signed"
    return f"is published, signs from {datetime.fromtimestamp(file.signs_from).astimezone().isoformat()}"


def _new_password() -> str:
    """Return a password from standard input; never from an argument, which others on the machine can see."""
    if sys.stdin.isatty():
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not SHORTEST <= len(password) <= LONGEST:
        raise click.ClickException(f"The password must have {SHORTEST} to {LONGEST} characters.")
    return password


def _database() -> Database:
    return Database(read_settings().database)


def _keys_directory() -> Path:
    return read_settings().keys


@contextmanager
def _said_plainly() -> Iterator[None]:
    try:
        yield
    except (users.UserError, key_files.KeyTrouble, DatabaseUnavailable) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename} cannot be used: {error.strerror}.") from error
