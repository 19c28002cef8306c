"""Stands for the operating system's keyring: one file, which a test names, instead of a daemon."""

from __future__ import annotations

import os
from pathlib import Path

from keyring.backend import KeyringBackend

VARIABLE = "OPERATOR_KEYRING"


class OperatorKeyring(KeyringBackend):
    """Keeps one password, from one process to the next."""

    # Never the one that keyring chooses by itself.
    priority = -1

    @property
    def _file(self) -> Path:
        return Path(os.environ[VARIABLE])

    def get_password(self, service: str, username: str) -> str | None:
        """Return what is kept."""
        return self._file.read_text() if self._file.exists() else None

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep it."""
        self._file.touch(0o600)
        self._file.write_text(password)

    def delete_password(self, service: str, username: str) -> None:
        """Remove it."""
        self._file.unlink()
