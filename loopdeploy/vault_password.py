"""A vault password, and where it comes from: a file, a program, or what is read once."""

from __future__ import annotations

import codecs
import os
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from loopdeploy.errors import SetupError


@dataclass(frozen=True)
class VaultPassword:
    """A vault password: in a file, in memory, or none needed."""

    file: Path | None = None
    secret: str | None = field(default=None, repr=False)


def password_from(name: str, option: str) -> VaultPassword:
    """Return the vault password that the file or program ``name`` gives.

    What only this process can read or ask, a shell's ``<(...)`` and a program that may want the terminal, is read here.
    Raises SetupError when there is none.
    """
    file = Path(name).expanduser()
    if not file.exists() or file.is_dir():
        raise SetupError(f"There is no vault password file {file}: mend {option}.")
    if file.is_file():
        # Not what a link leads to: a program may go by the name that it is called by, and Ansible does.
        whole = file.absolute()
        return _said(whole) if os.access(whole, os.X_OK) else VaultPassword(file=whole)
    try:
        secret = file.read_text("utf-8-sig").strip()
    except (OSError, UnicodeError) as error:
        raise SetupError(f"The vault password file {file} cannot be read as text: mend {option}.") from error
    if not secret or "\n" in secret:
        raise SetupError(f"The vault password file {file} gives no password of one line: mend {option}.")
    return VaultPassword(secret=secret)


def _said(program: Path) -> VaultPassword:
    """Return what ``program`` says, or ``program`` itself for Ansible to run when that cannot be typed at a prompt."""
    password = password_bytes(VaultPassword(file=program))
    try:
        secret = password.decode()
    except UnicodeError:
        return VaultPassword(file=program)
    if secret != secret.strip() or not secret.isprintable():
        return VaultPassword(file=program)
    return VaultPassword(secret=secret)


def password_bytes(password: VaultPassword) -> bytes:
    """Return the vault password as Ansible takes it: out of the file or the program, or without the blanks at its ends.

    Raises SetupError when the file or the program gives none.
    """
    if password.file is None:
        return (password.secret or "").encode().strip()
    from ansible.errors import AnsibleError
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import get_file_vault_secret

    try:
        secret = get_file_vault_secret(filename=str(password.file), vault_id="default", loader=DataLoader())
        secret.load()
        return bytes(secret.bytes)
    except AnsibleError as error:
        raise SetupError(f"The vault password file {password.file} gives no password: mend it.") from error


def new_password(password: VaultPassword) -> bytes:
    """Return a password to close a vault with.

    Raises SetupError when it could not be typed: of a program's, Ansible keeps the blanks that it strips at its prompt,
    and of a file's the mark of UTF-8 in front.
    """
    new = password_bytes(password)
    if new.startswith(codecs.BOM_UTF8):
        raise SetupError("The new vault password has a byte order mark in front: save its file without one.")
    if not new or new != new.strip():
        raise SetupError("The new vault password is empty or has a blank at an end: choose another one.")
    return new
