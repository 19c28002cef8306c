"""A leak that is planted is found where it is: else the other tests could not fail."""

from __future__ import annotations

import subprocess

import pytest

from tests.leaks.allowed import Found
from tests.leaks.plants import AT_AN_EXEC
from tests.leaks.plants import PLANTS
from tests.leaks.plants import Plant
from tests.leaks.plants import removed
from tests.leaks.scene import Scene
from tests.leaks.watch import Watch

# Each on a command line and in an environment, on both machines.
TIMES = 50
# Processes of one fork and one exec; a shell's own `true` would be none.
BRIEF = """
read -r secret
for time in $(seq $2); do
  /bin/true $1 $time "$secret"
  PLANTED=$secret /bin/true $1 $time
done
"""


@pytest.fixture(scope="module")
def leaks(scene: Scene) -> tuple[dict[Plant, Found | AssertionError], Watch]:
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
    return planted, watch


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_leak_is_found(leaks: tuple[dict[Plant, Found | AssertionError], Watch], plant: Plant) -> None:
    """In its own place, by the name of its secret."""
    planted, watch = leaks
    if plant in AT_AN_EXEC:
        require_tracing(watch)
    assert planted[plant] in watch.leaks


def require_tracing(watch: Watch) -> None:
    """Skip a test of what the sampler may miss; that it is alone is in the test report, too."""
    if watch.refused:
        pytest.skip(f"Processes are polled, because the kernel does not tell of them: {watch.refused}")


def test_a_process_is_seen_however_short_it_lives(scene: Scene) -> None:
    """Each of them, and not most."""
    with scene.watched() as watch:
        scene.nas.run("sh", "-ec", BRIEF, "brief", "there", str(TIMES), stdin=f"{scene.secrets.sudo}\n")
        here = ["sh", "-ec", BRIEF, "brief", "here", str(TIMES)]
        subprocess.run(here, input=f"{scene.secrets.ssh}\n", text=True, check=True)
    require_tracing(watch)
    for where, name in (("there", "sudo"), ("here", "ssh")):
        brief = [f"/bin/true {where} {time}" for time in range(1, TIMES + 1)]
        planted = {(name, f"environment: {one}") for one in brief}
        planted |= {(name, f"command line: {one} {getattr(scene.secrets, name)}") for one in brief}
        assert planted - set(watch.leaks) == set()
