"""A vault password, and where it comes from: a file, a program, or what is read once."""

from __future__ import annotations

import codecs
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from loopdeploy.ansible_settings import own_ansible
from loopdeploy.errors import SetupError
from loopdeploy.questions import on_terminal

# So many bytes of a line reach a program that reads it from a terminal, which Ansible's prompt does.
LONGEST_LINE = 4095


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
    # A `~name` of nobody stays as it is.
    file = Path(os.path.expanduser(name))
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
    if secret != secret.strip() or not secret.isprintable() or len(password) > LONGEST_LINE:
        return VaultPassword(file=program)
    return VaultPassword(secret=secret)


def password_bytes(password: VaultPassword) -> bytes:
    """Return the vault password as Ansible takes it: out of the file or the program, or without the blanks at its ends.

    Raises SetupError when the file or the program gives none.
    """
    if password.file is None:
        return (password.secret or "").encode().strip()
    with own_ansible():
        from ansible.errors import AnsibleError
        from ansible.parsing.dataloader import DataLoader
        from ansible.parsing.vault import get_file_vault_secret

    try:
        with _nothing_piped():
            secret = get_file_vault_secret(filename=str(password.file), vault_id="default", loader=DataLoader())
            secret.load()
        return bytes(secret.bytes)
    except AnsibleError as error:
        if os.access(password.file, os.X_OK):
            raise SetupError(
                f"The vault password program {password.file} does not run or gives no password: mend it, or where it"
                f" is a file with the password, `chmod -x {shlex.quote(str(password.file))}`."
            ) from error
        raise SetupError(f"The vault password file {password.file} gives no password: mend it.") from error


@contextmanager
def _nothing_piped() -> Iterator[None]:
    """Let a program read what is typed alone: what is piped here is for whoever reads it next."""
    if sys.stdin is None or on_terminal():
        yield
        return
    kept = os.dup(0)
    with Path(os.devnull).open() as nothing:
        os.dup2(nothing.fileno(), 0)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)


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
