"""What is asked on a terminal, or read from a file where there is none. A secret is never an option's value: `ps` shows
those.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from loopdeploy.errors import InterruptedRunError
from loopdeploy.errors import SetupError


def on_terminal() -> bool:
    """Return whether there is somebody to ask; nobody is where standard input is closed, and Python has none."""
    return sys.stdin is not None and sys.stdin.isatty()


@contextmanager
def answered(option: str) -> Iterator[None]:
    """Tell in a sentence what can go wrong while somebody types; ``option`` gives the answer otherwise.

    Raises InterruptedRunError at Ctrl-C, SetupError for characters that are not in the terminal's encoding.
    """
    try:
        yield
    except click.Abort as abort:
        raise InterruptedRunError("Interrupted: nothing was changed.") from abort
    except UnicodeError as error:
        otherwise = f", or give {option}" if option else ""
        raise SetupError(
            f"What was typed is not in UTF-8: let the terminal and the locale use UTF-8{otherwise}."
        ) from error


def ask(question: str, option: str, default: str | None = None, secret: bool = False, twice: bool = False) -> str:
    """Return the answer to ``question``, unseen when it is a ``secret``; ``option`` gives it where nobody can be asked.

    Raises SetupError without a terminal and for what is not in UTF-8, InterruptedRunError at Ctrl-C.
    """
    if not on_terminal():
        raise SetupError(f"{question} is needed and there is no terminal to ask on: give {option}.")
    with answered(option):
        answer = str(
            click.prompt(
                question,
                default=default,
                show_default=not secret,
                hide_input=secret,
                confirmation_prompt=f"{question}, again" if twice else False,
                err=True,
            )
        )
        answer.encode()  # in the locale C, Python lets pass what is not in UTF-8, and only writing it would fail
    return answer


def confirm(question: str, option: str) -> bool:
    """Return whether the operator says yes to ``question``.

    Raises SetupError without a terminal, InterruptedRunError at Ctrl-C.
    """
    if not on_terminal():
        raise SetupError(f"{question} There is no terminal to ask on: give {option}.")
    with answered(option):
        return click.confirm(question, err=True)


def read_file(file: str, option: str) -> str:
    """Return what is in ``file``, of standard input when it is `-`; a mark of UTF-8 in front is none of it.

    Raises SetupError when it cannot be read.
    """
    try:
        # Not as the locale has it: in the locale C, Python lets pass what is not in UTF-8.
        return _read_bytes(file).decode("utf-8-sig")
    except OSError as error:
        raise SetupError(f"{_named(file)} cannot be read: mend {option}.") from error
    except UnicodeDecodeError as error:
        raise SetupError(f"{_named(file)} is not in UTF-8: convert it, and mend {option}.") from error


def _read_bytes(file: str) -> bytes:
    if file != "-":
        # A `~name` of nobody stays as it is.
        return Path(os.path.expanduser(file)).read_bytes()
    if sys.stdin is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return sys.stdin.buffer.read()


def _named(file: str) -> str:
    return "Standard input" if file == "-" else f"The file {file}"


def read_secret(file: str, option: str) -> str:
    """Return the one line in ``file``, of standard input when it is `-`.

    Raises SetupError when there is none, or more.
    """
    secret = read_file(file, option).rstrip("\r\n")
    if not secret or {"\r", "\n"} & set(secret):
        raise SetupError(f"{_named(file)} is not one line with a secret: mend it, or {option}.")
    return secret
