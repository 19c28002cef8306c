"""Vault passwords in the operating system's keyring.

Importing `keyring` takes time, which a verb that is given its password elsewhere does not spend.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from loopdeploy.errors import SetupError

T = TypeVar("T")

SERVICE = "loopdeploy"
# Seconds that a keyring may take: with somebody at the terminal, who may have to unlock it, and without.
PATIENCE = {True: 60.0, False: 5.0}


def recall(inventory: Path) -> str | None:
    """Return the vault password of ``inventory``; None when none is kept, or the keyring is missing or locked."""

    def read() -> str | None:
        import keyring

        password = keyring.get_password(SERVICE, str(inventory))
        return None if password is None else str(password)

    try:
        return _answer(read)
    except SetupError:
        return None


def remember(inventory: Path, password: str) -> None:
    """Keep the vault password of ``inventory``.

    Raises SetupError when there is no keyring that takes it.
    """

    def write() -> None:
        import keyring

        keyring.set_password(SERVICE, str(inventory), password)

    _answer(write)
    if recall(inventory) != password:  # keyring's `null` takes everything and keeps nothing
        raise SetupError("The keyring of this machine keeps nothing: use --vault-password-file instead.")


def forget(inventory: Path) -> bool:
    """Remove the vault password of ``inventory`` from the keyring; return whether there was one.

    Raises SetupError when the keyring does not give it up.
    """
    if recall(inventory) is None:
        return False

    def delete() -> None:
        import keyring

        keyring.delete_password(SERVICE, str(inventory))

    _answer(delete)
    return True


def _answer(call: Callable[[], T]) -> T:
    """Return what ``call`` does; a keyring that waits for somebody to unlock it must not stop a pipeline.

    Raises SetupError when it fails or takes too long.
    """
    results: list[T] = []
    problems: list[str] = []

    def work() -> None:
        try:
            results.append(call())
        # A backend is the system's own, and raises what its libraries do.
        except Exception as error:
            problems.append(_reason(error))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(PATIENCE[sys.stdin.isatty()])
    if results:
        return results[0]
    reason = problems[0] if problems else "it does not answer, so it may be locked"
    raise SetupError(f"The keyring of this machine cannot be used: {reason}; use --vault-password-file instead.")


def _reason(error: Exception) -> str:
    if type(error).__name__ == "NoKeyringError":
        return "there is none"
    return (str(error).partition("\n")[0] or type(error).__name__).rstrip(".")
