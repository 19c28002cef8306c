"""What is asked on a terminal, or read from a file where there is none. A secret is never an option's value: `ps` shows
those.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from loopdeploy.errors import InterruptedRunError
from loopdeploy.errors import SetupError


def on_terminal() -> bool:
    """Return whether there is somebody to ask."""
    return sys.stdin.isatty()


def ask(question: str, option: str, default: str | None = None, secret: bool = False, twice: bool = False) -> str:
    """Return the answer to ``question``, unseen when it is a ``secret``; ``option`` gives it where nobody can be asked.

    Raises SetupError without a terminal, InterruptedRunError at Ctrl-C.
    """
    if not on_terminal():
        raise SetupError(f"{question} is needed and there is no terminal to ask on: give {option}.")
    try:
        return str(
            click.prompt(
                question,
                default=default,
                show_default=not secret,
                hide_input=secret,
                confirmation_prompt=f"{question}, again" if twice else False,
                err=True,
            )
        )
    except click.Abort as abort:
        raise InterruptedRunError("Interrupted: nothing was changed.") from abort


def confirm(question: str, option: str) -> bool:
    """Return whether the operator says yes to ``question``.

    Raises SetupError without a terminal, InterruptedRunError at Ctrl-C.
    """
    if not on_terminal():
        raise SetupError(f"{question} There is no terminal to ask on: give {option}.")
    try:
        return click.confirm(question, err=True)
    except click.Abort as abort:
        raise InterruptedRunError("Interrupted: nothing was changed.") from abort


def read_file(file: str, option: str) -> str:
    """Return what is in ``file``, of standard input when it is `-`.

    Raises SetupError when it cannot be read.
    """
    try:
        return sys.stdin.read() if file == "-" else Path(file).expanduser().read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"The file {file} cannot be read: mend {option}.") from error


def read_secret(file: str, option: str) -> str:
    """Return the one line in ``file``, of standard input when it is `-`.

    Raises SetupError when there is none, or more.
    """
    secret = read_file(file, option).rstrip("\r\n")
    if not secret or "\n" in secret:
        raise SetupError(f"The file {file} is not one line with a secret: mend it, or {option}.")
    return secret
