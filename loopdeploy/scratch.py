"""Editing a secret text: in memory, for its owner alone, and gone afterwards whatever happens."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click

from loopdeploy.errors import InterruptedRunError
from loopdeploy.errors import SetupError
from loopdeploy.interruption import SIGNALS

MEMORY = Path("/dev/shm")


def edited(text: str, name: str) -> str:
    """Return what the operator's editor makes of ``text``, in a file called ``name``.

    Raises SetupError when the editor fails, InterruptedRunError when it is interrupted or the terminal closed.
    """
    memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    with _ended_orderly(), tempfile.TemporaryDirectory(prefix="loopdeploy-", dir=memory) as directory:
        # A directory for its owner alone, where the editor's own copies of the file end with it, too.
        file = Path(directory, name)
        file.touch(mode=0o600)
        file.write_text(text)
        try:
            click.edit(filename=str(file))
            return file.read_text()
        except InterruptedRunError:
            raise
        except click.ClickException as error:
            raise SetupError(f"Nothing was changed: {error.message}; set VISUAL or EDITOR.") from error
        except (OSError, UnicodeDecodeError) as error:
            raise SetupError("Nothing was changed: what the editor left cannot be read.") from error
        finally:
            _deafen()
            if memory is None and file.exists():  # on a disk, so that nothing is left in its blocks
                file.write_bytes(bytes(file.stat().st_size))


@contextmanager
def _ended_orderly() -> Iterator[None]:
    """Let a signal that ends this process remove the file first."""

    def end(number: int, frame: FrameType | None) -> None:
        _deafen()
        raise InterruptedRunError("Interrupted: nothing was changed.")

    kept = {number: signal.signal(number, end) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def _deafen() -> None:
    """Let no further signal interrupt the removal of the file."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
