"""A leak that is planted is found where it is: else the other tests could not fail."""

from __future__ import annotations

import pytest

from tests.leaks.allowed import Found
from tests.leaks.plants import PLANTS
from tests.leaks.plants import Plant
from tests.leaks.plants import removed
from tests.leaks.scene import Scene


@pytest.fixture(scope="module")
def leaks(scene: Scene) -> tuple[dict[Plant, Found | AssertionError], list[Found]]:
    """Plant everything under one watch; return where each leak is, or why it is not there, and what was found."""
    planted: dict[Plant, Found | AssertionError] = {}
    try:
        with scene.watched() as watch:
            for plant in PLANTS:
                try:
                    planted[plant] = plant(scene, watch)
                except AssertionError as error:
                    planted[plant] = error
    finally:
        removed(scene)
    return planted, watch.leaks


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_leak_is_found(leaks: tuple[dict[Plant, Found | AssertionError], list[Found]], plant: Plant) -> None:
    """In its own place, by the name of its secret."""
    planted, found = leaks
    assert planted[plant] in found
