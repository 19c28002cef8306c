"""Which images are removed, against a scripted engine."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.conftest import Outcome
from tests.unit.conftest import Run
from tests.unit.scripted_engine import ScriptedEngine

RELEASES = [f"loop-api:2026112{day}T080000Z-abc123{day}" for day in range(9)]
FOREIGN = [
    "loop-api:latest",
    "loop-api:next",
    "loop-api:v1",
    "loop-api:20261120T080000Z",
    "loop-api:20261120T080000Z-ABC",
    "loop-api:x20261120T080000Z-abc1230",
    "loop-api:20261120T080000Z-abc1230-mine",
    "loop-auth:20261120T080000Z-abc1230",
    "my/loop-api:20261120T080000Z-abc1230",
    "loop-api-x:20261120T080000Z-abc1230",
    "postgres:16",
]


@pytest.fixture(autouse=True)
def images(engine: ScriptedEngine) -> dict[str, str]:
    """Let the NAS have nine releases and much else."""
    engine.images = {name: f"sha256:{name}" for name in [*FOREIGN, *RELEASES]}
    return engine.images


def prune(run: Run, engine: ScriptedEngine, check_mode: bool = False, **more: Any) -> Outcome:
    """Run the module."""
    return run("release_images", check_mode, repository="loop-api", socket=engine.path, **more)


def test_the_newest_releases_stay_and_nothing_else_is_touched(
    run: Run, engine: ScriptedEngine, images: dict[str, str]
) -> None:
    """No other tag, no other repository, however alike."""
    kind, result = prune(run, engine)
    assert (kind, result) == ("ok", {"changed": True, "removed": RELEASES[3::-1]})
    assert list(images) == [*FOREIGN, *RELEASES[4:]]
    assert prune(run, engine)[1] == {"changed": False, "removed": []}


def test_image_that_a_container_uses_stays(run: Run, engine: ScriptedEngine, images: dict[str, str]) -> None:
    """The one that is kept for a rollback may be old; stopped ones count, too."""
    engine.add("loop-api-previous", image=images[RELEASES[0]], status="exited")
    assert prune(run, engine, keep=1)[1]["removed"] == RELEASES[7:0:-1]


def test_check_mode_removes_nothing(run: Run, engine: ScriptedEngine, images: dict[str, str]) -> None:
    """It says what would go."""
    assert prune(run, engine, check_mode=True, keep=8)[1]["removed"] == RELEASES[:1]
    assert all(request.startswith("GET ") for request in engine.seen)


def test_image_that_is_gone_already_is_no_failure(run: Run, engine: ScriptedEngine) -> None:
    """Somebody was faster."""
    engine.fault("DELETE", status=404, message="No such image")
    assert prune(run, engine)[0] == "ok"


def test_image_that_cannot_be_removed_is_told(run: Run, engine: ScriptedEngine) -> None:
    """In the engine's own words."""
    engine.fault("DELETE", status=500, message="layer is locked")
    assert prune(run, engine) == ("failed", {"msg": "layer is locked"})


def test_image_without_a_name_is_left_alone(run: Run, engine: ScriptedEngine) -> None:
    """A build leaves such."""
    engine.answers["/images/json"] = (200, [{"Id": "sha256:x", "RepoTags": None}])
    assert prune(run, engine, keep=0)[1]["removed"] == []


def test_wanted_release_is_looked_for(run: Run, engine: ScriptedEngine, images: dict[str, str]) -> None:
    """Nothing is removed while one is looked for."""
    release = RELEASES[0].partition(":")[2]
    assert prune(run, engine, required=release) == ("ok", {"changed": False, "removed": []})
    assert len(images) == len(FOREIGN) + len(RELEASES)


@pytest.mark.parametrize("release", ["latest", "20261120T080000Z-0000000"])
def test_missing_release_names_those_that_there_are(run: Run, engine: ScriptedEngine, release: str) -> None:
    """What the operator can type instead."""
    newest, *_, oldest = [name.partition(":")[2] for name in RELEASES[::-1]]
    kind, result = prune(run, engine, required=release)
    assert kind == "failed"
    assert result["msg"].startswith(f"There is no release {release} of loop-api on this NAS; there are: {newest}, ")
    assert result["msg"].endswith(f"{oldest}.")
