"""Vault passwords in the operating system's keyring.

Importing `keyring` takes time, which a verb that is given its password elsewhere does not spend.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from typing import TypeVar

from loopdeploy.errors import SetupError
from loopdeploy.questions import on_terminal

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

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

    Raises SetupError when there is no keyring that takes it, or only one that keeps it in clear.
    """

    def write() -> None:
        import keyring

        _require_sealed(keyring.get_keyring())
        keyring.set_password(SERVICE, str(inventory), password)

    _answer(write)
    if recall(inventory) != password:  # keyring's `null` takes everything and keeps nothing
        raise SetupError("The keyring of this machine keeps nothing: use --vault-password-file instead.")


def _require_sealed(backend: KeyringBackend) -> None:
    """Refuse a keyring that is a file in clear, as keyrings.alt brings one; keyring recommends a priority of 1.

    Raises SetupError.
    """
    # A chain writes into the first of its own.
    first: KeyringBackend = (getattr(backend, "backends", None) or [backend])[0]
    names = {kind.__name__ for kind in type(first).__mro__}
    if "PlaintextKeyring" in names or 0 < first.priority < 1:
        raise SetupError(f"{type(first).__name__} keeps passwords in clear, or not well enough")


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
    thread.join(PATIENCE[on_terminal()])
    if results:
        return results[0]
    reason = problems[0] if problems else "it does not answer, so it may be locked"
    raise SetupError(f"The keyring of this machine cannot be used: {reason}; use --vault-password-file instead.")


def _reason(error: Exception) -> str:
    if type(error).__name__ == "NoKeyringError":
        return "there is none"
    return (str(error).partition("\n")[0] or type(error).__name__).rstrip(".")
