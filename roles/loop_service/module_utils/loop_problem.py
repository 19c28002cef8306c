"""What goes wrong on a NAS, each as a sentence for the operator."""

from __future__ import annotations


class Problem(Exception):
    """What keeps the NAS from doing what was asked."""


class Refusal(Problem):
    """The engine answered, and refused; ``status`` is its HTTP status."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Locked(Problem):
    """A database that another process keeps to itself: nothing is wrong with it."""


class Unhealthy(Problem):
    """A container that does not do its work."""


class RolledBack(Problem):
    """A replacement failed, and the container that ran before runs again; ``gap`` in seconds."""

    def __init__(self, sentence: str, gap: float) -> None:
        super().__init__(sentence)
        self.gap = gap


class Down(Problem):
    """A replacement failed, and what ran before could not be brought back; ``cause`` says why that."""

    def __init__(self, sentence: str, cause: str) -> None:
        super().__init__(sentence)
        self.cause = cause
