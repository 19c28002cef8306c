"""The commands ``loopdeploy vault …``: what is in an inventory's vault, and its password in the keyring."""

from __future__ import annotations

from pathlib import Path

import click

from loopdeploy import remembered
from loopdeploy.errors import LoopdeployError
from loopdeploy.errors import SetupError
from loopdeploy.options import local_options
from loopdeploy.questions import ask
from loopdeploy.questions import confirm
from loopdeploy.questions import on_terminal
from loopdeploy.questions import read_secret
from loopdeploy.scratch import edited
from loopdeploy.target import Target
from loopdeploy.vault_file import NAMES
from loopdeploy.vault_file import close_vault
from loopdeploy.vault_file import open_vault
from loopdeploy.vault_file import require_text
from loopdeploy.vault_file import vault_file
from loopdeploy.vault_file import with_secret
from loopdeploy.vault_password import VaultPassword
from loopdeploy.vault_password import new_password
from loopdeploy.vault_password import password_bytes
from loopdeploy.vault_password import password_from


@click.group()
def vault() -> None:
    """Show and change what is in the vault.

    Or keep its password in the operating system's keyring.
    """


def _opened(target: Target) -> tuple[Path, str, bytes]:
    """Return the vault's file, its text, and its password."""
    file = vault_file(target.inventory_path())
    password = password_bytes(target.vault_password())
    return file, open_vault(file, password), password


@vault.command()
@local_options
def view(target: Target) -> None:
    """Show all of it, in clear."""
    click.echo(_opened(target)[1], nl=False)


@vault.command()
@local_options
def edit(target: Target) -> None:
    """Change it in an editor ($VISUAL or $EDITOR)."""
    if not on_terminal():
        raise SetupError("There is no terminal to edit on: change one secret with `loopdeploy vault set NAME`.")
    file, text, password = _opened(target)
    changed = edited(text, "vault.yml")
    while changed != text:
        try:
            require_text(changed)
        except SetupError as error:
            click.echo(f"Error: {target.advised(error.message)}", err=True)
            if not confirm("Edit it again? Else nothing is changed.", ""):
                raise
            changed = edited(changed, "vault.yml")
        else:
            close_vault(file, changed, password)
            click.echo(f"{file} is changed.")
            return
    click.echo("Nothing was changed.")


@vault.command("set")
@local_options
@click.argument("name")
def set_(target: Target, name: str) -> None:
    """Give the variable NAME another value.

    It is typed unseen or, without a terminal, one line of standard input.
    """
    if not name.startswith("vault_") or not name.isidentifier():
        raise click.UsageError(f"The vault's names are {', '.join(NAMES)}, and others that begin with vault_.")
    file, text, password = _opened(target)
    value = (
        ask(f"New value of {name}", "it", secret=True, twice=True) if on_terminal() else read_secret("-", "the input")
    )
    close_vault(file, with_secret(text, name, value), password)
    click.echo(f"{name} is changed in {file}.")


@vault.command()
@local_options
@click.option(
    "--new-vault-password-file", metavar="FILE", help="File or program that gives the new one, instead of a prompt."
)
def rekey(target: Target, new_vault_password_file: str | None) -> None:
    """Give it another vault password."""
    file, text, password = _opened(target)
    option = "--new-vault-password-file"
    if new_vault_password_file == "-":
        given = VaultPassword(secret=read_secret("-", option))
    elif new_vault_password_file:
        given = password_from(new_vault_password_file, option)
    else:
        given = VaultPassword(secret=ask("New vault password", option, secret=True, twice=True))
    new = new_password(given)
    close_vault(file, text, new)
    click.echo(f"{file} has a new password.")
    inventory = target.inventory_path()
    if target.vault_password_file:
        click.echo(f"Put it into {target.vault_password_file}, too.", err=True)
    elif remembered.recall(inventory) == password.decode():
        _remember_too(inventory, new)


def _remember_too(inventory: Path, new: bytes) -> None:
    try:
        remembered.remember(inventory, new.decode(errors="surrogateescape"))
    except SetupError as error:
        raise LoopdeployError(
            f"The vault has its new password, but the keyring still the old one ({error.message.rstrip('.')}): run"
            " `loopdeploy vault remember` once it takes the new one."
        ) from error
    click.echo("The keyring has it, too.", err=True)


@vault.command()
@local_options
def remember(target: Target) -> None:
    """Keep the vault password in the operating system's keyring."""
    inventory = target.inventory_path()
    if target.vault_password_file or on_terminal():
        source, option = target.vault_password_file, "--vault-password-file"
        given = (
            password_from(source, option)
            if source
            else VaultPassword(secret=ask("Vault password", option, secret=True))
        )
    else:
        given = VaultPassword(secret=read_secret("-", "the input"))
    password = password_bytes(given)
    open_vault(vault_file(inventory), password)
    remembered.remember(inventory, password.decode(errors="surrogateescape"))
    click.echo(f"The keyring has the vault password of {inventory}.")


@vault.command()
@local_options
def forget(target: Target) -> None:
    """Remove the vault password from the operating system's keyring."""
    inventory = target.inventory_path()
    kept = remembered.forget(inventory)
    click.echo(f"The keyring {'no longer has' if kept else 'did not have'} the vault password of {inventory}.")
