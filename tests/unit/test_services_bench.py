"""The bounds of the services' bench."""

from __future__ import annotations

from bench.services_lab import BOUNDS
from bench.services_lab import missed


def test_bounds_are_held_up_to_their_value() -> None:
    """A container may have as much as its bound."""
    assert missed({container: float(bound) for container, bound in BOUNDS.items()}) == []


def test_missed_bound_is_told() -> None:
    """With what the container has, for each that has too much."""
    assert missed({"loop-api": 151.0, "loop-auth": 99.0}) == ["loop-api has 151 MiB, and the bound is 150 MiB."]
