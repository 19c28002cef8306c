"""The errors that end a command: one sentence for a person, one exit code for a pipeline."""

from __future__ import annotations

import click


class LoopdeployError(click.ClickException):
    """A verb failed; the message says what happened, where, and what to do next."""

    exit_code = 1


class SetupError(LoopdeployError):
    """The call or its configuration is wrong, so nothing was changed."""

    exit_code = 2


class UnreachableError(LoopdeployError):
    """The NAS did not answer, or refused the login or the sudo password."""

    exit_code = 3


class UnhealthyError(LoopdeployError):
    """A service is not healthy."""

    exit_code = 4


class RolledBackError(LoopdeployError):
    """A replacement failed, and what ran before runs again."""

    exit_code = 5


class LockedError(LoopdeployError):
    """Another run is at work on the NAS."""

    exit_code = 6


class InterruptedRunError(LoopdeployError):
    """The operator or a supervisor ended the run."""

    exit_code = 130
