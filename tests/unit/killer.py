"""Ends a process in the middle, as SIGKILL and a power cut do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.loop_engine import Engine
from ansible.module_utils.loop_journal import Journal

# What a module does to the world: requests to the engine, and changes of the journal.
STEPS = [(Engine, "request"), (Journal, "write"), (Journal, "clear")]


class Killed(BaseException):
    """The process ended, without another word."""


class Killer:
    """Ends what is called with it in front of one of its STEPS, or of ``more``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *more: tuple[Any, str]) -> None:
        self._left = math.inf
        for owner, name in [*STEPS, *more]:
            monkeypatch.setattr(owner, name, self._mortal(getattr(owner, name)))

    def _mortal(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            if self._left <= 0:
                raise Killed
            self._left -= 1
            return function(*arguments, **named)

        return step

    def __call__(self, steps: float, call: Callable[[], Any]) -> bool:
        """Call ``call``, kill it behind so many ``steps``, and return whether it got that far."""
        self._left = steps
        try:
            call()
        except Killed:
            return True
        finally:
            self._left = math.inf
        return False
