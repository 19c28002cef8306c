"""What one replacement on the NAS must remember: that it is alone, and how far it came."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from contextlib import contextmanager
from contextlib import suppress
from typing import Any
from typing import Iterator

from ansible.module_utils.loop_problem import Problem

# Exists while somebody wants a proof that is under way to give up.
CANCEL = "cancel"
# What ends a process whose SSH line was cut, or whose operator went home.
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)


@contextmanager
def alone(state: str, seconds: float = 180) -> Iterator[None]:
    """Keep every other replacement on this NAS out, and be deaf to what would end this one halfway.

    The kernel lets go of the lock when the process ends, however it ends. Raises a Problem after ``seconds``.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    path = os.path.join(state, "swap.lock")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Problem(
            f"{path} cannot be written ({error.strerror}): free space on the NAS; nothing was touched."
        ) from error
    deadline = time.monotonic() + seconds
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Problem(
                        f"Another replacement on this NAS did not end within {seconds:.0f} s: see"
                        " `loopdeploy history`, then try again."
                    ) from None
                time.sleep(0.1)
        yield
    finally:
        os.close(handle)


@contextmanager
def cancelled(state: str) -> Iterator[None]:
    """Let a proof that is under way give up, so that nobody waits for it."""
    with suppress(OSError), open(os.path.join(state, CANCEL), "w"):  # on a full disk one waits
        pass
    try:
        yield
    finally:
        forget_cancellation(state)


def forget_cancellation(state: str) -> None:
    """Let a proof begin, whatever a process that was killed left behind."""
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(state, CANCEL))


def is_cancelled(state: str) -> bool:
    """Return whether somebody wants this proof to give up."""
    return os.path.exists(os.path.join(state, CANCEL))


def note(state: str, line: dict[str, Any]) -> None:
    """Leave what came of a replacement beside the lock, for the run's line in the history."""
    lock = os.path.join(state, "lock")
    if os.path.isdir(lock):
        # A full disk must not hide what came of it.
        with suppress(OSError), open(os.path.join(lock, "swaps.jsonl"), "a") as file:
            file.write(json.dumps(line) + "\n")


class Journal:
    """The one replacement of a service, or of its files, that is under way: a file outlives a power cut."""

    def __init__(self, state: str, name: str, kind: str = "swap") -> None:
        self.path = os.path.join(state, f"{kind}-{name}.json")

    def read(self) -> dict[str, Any] | None:
        """Return what was written, None when no replacement is under way."""
        try:
            with open(self.path) as file:
                entry = dict(json.load(file))
            entry["new"]  # there is always one
            return entry
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, ValueError) as error:
            raise Problem(
                f"{self.path} is damaged: look at the containers with `docker ps --all`, then remove it."
            ) from error

    def write(self, entry: dict[str, Any]) -> None:
        """Put ``entry`` on the disk, whole or not at all; a full disk is a Problem before anything is touched."""
        try:
            with open(self.path + ".partial", "w") as file:
                json.dump(entry, file)
                file.flush()
                os.fsync(file.fileno())
            os.rename(self.path + ".partial", self.path)
            self._settle()
        except OSError as error:
            raise Problem(
                f"{self.path} cannot be written ({error.strerror}): free space on the NAS; nothing was touched."
            ) from error

    def clear(self) -> None:
        """Forget the replacement: it is done, or undone."""
        if os.path.exists(self.path):
            os.unlink(self.path)
            # Found again after a power cut, it does no harm: what is done is not done twice.
            with suppress(OSError):
                self._settle()

    def _settle(self) -> None:
        """Let a power cut find the directory as it is now: what the engine writes meanwhile, it would find."""
        handle = os.open(os.path.dirname(self.path), os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
