"""What a verb works on: an inventory, its vault password, and how Ansible is to be called."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

import click

from loopdeploy.content import LAB_INVENTORY
from loopdeploy.content import LAB_VAULT_PASSWORD
from loopdeploy.errors import SetupError
from loopdeploy.questions import answered
from loopdeploy.questions import on_terminal
from loopdeploy.remembered import recall
from loopdeploy.vault_file import directory_of
from loopdeploy.vault_password import VaultPassword
from loopdeploy.vault_password import password_from

DEFAULT_INVENTORY = "production"
VAULT_HEADER = b"$ANSIBLE_VAULT;"
# Of the files in group_vars and host_vars that Ansible reads.
VARIABLE_SUFFIXES = {"", ".json", ".yaml", ".yml"}


@dataclass
class Target:
    """The options that every verb has in common."""

    inventory: str = DEFAULT_INVENTORY
    limit: str | None = None
    check: bool = False
    diff: bool = False
    verbose: int = 0
    vault_password_file: str | None = None
    # Asked for, or read, once, though one command may run two playbooks.
    _password: VaultPassword | None = field(default=None, repr=False)

    def advised(self, text: str) -> str:
        """Return ``text`` with this inventory in each command that it advises; the default one goes without saying.

        A command that names one already keeps it.
        """
        if self.inventory == DEFAULT_INVENTORY:
            return text
        return re.sub(r"`loopdeploy (?!lab\b|-i )", lambda _: f"`loopdeploy -i {shlex.quote(self.inventory)} ", text)

    def inventory_path(self) -> Path:
        """Return the inventory's directory or file.

        A name is looked up as ``inventory/NAME`` here; ``lab`` comes with loopdeploy. Anything else is a path.
        Raises SetupError when there is none.
        """
        here = [Path("inventory", self.inventory), Path(self.inventory)]
        for path in [*here, LAB_INVENTORY] if self.inventory == "lab" else here:
            if path.exists():
                return path.resolve()
        raise SetupError(
            f"There is no inventory {self.inventory!r}: neither inventory/{self.inventory} in this directory nor a path"
            " of that name; make it with `loopdeploy init`, name yours with -i, or try the practice NAS with -i lab."
        )

    def vault_password(self) -> VaultPassword:
        """Return where Ansible gets the vault password from: the lab's own, the option's file, the keyring, a prompt.

        Raises SetupError when there is a vault and nothing to open it with.
        """
        if self._password is None:
            self._password = self._given_password()
        return self._password

    def _given_password(self) -> VaultPassword:
        inventory = self.inventory_path()
        if inventory == LAB_INVENTORY:
            return VaultPassword(file=LAB_VAULT_PASSWORD)
        if self.vault_password_file:
            return password_from(self.vault_password_file, "--vault-password-file")
        if not has_vault(inventory):
            return VaultPassword()
        return VaultPassword(secret=recall(inventory) or _asked(inventory))


def _asked(inventory: Path) -> str:
    if not on_terminal():
        raise SetupError(
            f"The vault of {inventory} needs a password and there is no terminal to ask on: give"
            " --vault-password-file, or set ANSIBLE_VAULT_PASSWORD_FILE."
        )
    with answered("--vault-password-file"):
        return str(click.prompt("Vault password", hide_input=True, err=True))


def has_vault(inventory: Path) -> bool:
    """Return whether a file of variables beside ``inventory`` holds something encrypted with Ansible Vault."""
    return any(vaults(inventory))


def vaults(inventory: Path) -> Iterator[Path]:
    """Return the files of variables beside ``inventory`` that hold something encrypted with Ansible Vault."""
    root = directory_of(inventory)
    return (file for kind in ("group_vars", "host_vars") for file in root.glob(f"{kind}/**/*") if _is_vault(file))


def _is_vault(file: Path) -> bool:
    return file.suffix in VARIABLE_SUFFIXES and file.is_file() and VAULT_HEADER in file.read_bytes()
