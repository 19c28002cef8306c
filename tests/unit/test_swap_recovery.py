"""What a replacement does when its engine, its way back, its journal or its disk fails."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.loop_journal import alone

from tests.unit.conftest import Run
from tests.unit.scripted_engine import Clock
from tests.unit.scripted_engine import Container
from tests.unit.scripted_engine import ScriptedEngine
from tests.unit.test_container_swap import clean
from tests.unit.test_container_swap import params

SERVED = {"loop-api-previous": "exited", "loop-api": "running"}


@pytest.fixture
def old(engine: ScriptedEngine) -> Container:
    """Let a container serve."""
    return engine.add("loop-api", run=True, release="old")


@pytest.fixture
def new(engine: ScriptedEngine, old: Container) -> Container:
    """Make its successor."""
    return engine.add("loop-api-next", policy="no", release="new")


RELEASES = {"service": "loop-api", "before": "old", "after": "new"}


def noted(engine: ScriptedEngine) -> list[dict[str, Any]]:
    """Return what was left for the history."""
    file = Path(engine.path).with_name("lock") / "swaps.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def swap(run: Run, engine: ScriptedEngine, state: str = "swapped", **more: object) -> dict[str, Any]:
    """Return the result of the module."""
    return run("container_swap", **params(engine, state), **more)[1]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("request_", ["POST .*/rename", "POST .*/stop", "POST .*/start", "POST .*/update", "GET "])
def test_connection_that_breaks_is_made_again(
    run: Run, engine: ScriptedEngine, new: Container, request_: str, after: bool
) -> None:
    """Whether the engine did its work before it hung up or not, asking again does no harm."""
    engine.fault(request_, after=after, times=2)
    assert "msg" not in swap(run, engine)
    assert engine.names() == SERVED


def test_engine_that_is_away_for_a_while_is_waited_for(
    run: Run, engine: ScriptedEngine, new: Container, clock: Clock
) -> None:
    """Container Manager may be updated at any moment."""
    socket, away = Path(engine.path), Path(engine.path + ".away")

    def come_back() -> None:
        away.rename(socket)

    def leave() -> None:
        if engine.seen and engine.seen[-1].endswith("/stop?t=5") and socket.exists():
            socket.rename(away)
            clock.after(60, come_back)

    engine.hook = leave
    result = swap(run, engine)
    assert "msg" not in result
    assert engine.names() == SERVED
    assert 60 < result["gap"] < 65


def test_engine_that_does_not_come_back_leaves_it_to_the_next_run(
    run: Run, engine: ScriptedEngine, new: Container
) -> None:
    """Without an engine nothing can be put back; the journal knows what is to be done."""
    engine.fault("POST .*/start", times=10_000)
    result = swap(run, engine)
    assert "The Docker engine does not answer" in result["msg"] and "loopdeploy recover" in result["msg"]
    engine.faults.clear()
    assert swap(run, engine, "healed")["healed"] == [
        "undid the interrupted replacement of loop-api: release old is in its place"
    ]
    assert engine.names() == {"loop-api": "running"}


def test_way_back_that_fails_says_what_is_down_and_what_to_type(
    run: Run, engine: ScriptedEngine, old: Container, new: Container
) -> None:
    """The next run brings it back once the cause is gone, and not before."""
    old.refusal, new.polls = "mount /vault: no such file", 0
    result = swap(run, engine)
    assert result["rolled_back"] is False
    assert "loop-api is down: putting release old back failed, too (mount /vault: no such file)" in result["msg"]
    assert f"the container {old.id}; mend the cause and run `loopdeploy recover`" in result["msg"]
    assert not clean(engine)
    assert "loop-api is down" in swap(run, engine, "healed")["msg"]
    old.refusal = ""
    assert swap(run, engine, "healed")["changed"] is True
    assert engine.names() == {"loop-api": "running"} and clean(engine)


def test_service_that_runs_is_not_given_up_for_what_cannot_be_put_away(
    run: Run, engine: ScriptedEngine, new: Container
) -> None:
    """The new release serves; what is left to do, the next run does."""
    engine.add("loop-api-previous", policy="no", status="exited")
    engine.fault("DELETE", status=500, message="device busy", times=2)
    assert "loop-api runs release new, but" in swap(run, engine)["msg"]
    assert "device busy" in swap(run, engine, "healed")["msg"]
    assert new.running and new.starts == 1
    assert swap(run, engine, "healed")["healed"] == ["finished the interrupted replacement of loop-api by release new"]
    assert engine.names() == SERVED and new.starts == 1


@pytest.mark.parametrize("request_", ["DELETE .*/containers/", "POST .*/update", "POST .*/rename", "DELETE .*/images/"])
def test_service_that_runs_again_is_not_called_down_for_what_cannot_be_put_away(
    run: Run, engine: ScriptedEngine, old: Container, new: Container, request_: str
) -> None:
    """The old release serves; what is left of the failed one, the next run puts away."""
    kept, new.polls = engine.add("loop-api-previous", policy="no", status="exited"), 0
    engine.images = {"loop-api:new": new.image, "loop-api:next": new.image}

    def refuse() -> None:
        if old.starts == 2 and not engine.faults:
            engine.fault(request_, status=500, message="device busy")

    engine.hook = refuse
    result = swap(run, engine, unproved="loop-api:new")
    engine.hook = lambda: None
    assert result["rolled_back"] is True and old.running
    assert "release old runs again" in result["msg"] and "could not be put away (device busy)" in result["msg"]
    assert not clean(engine)
    engine.faults.clear()
    assert swap(run, engine, "healed")["changed"] is True
    assert engine.names() == SERVED and (old.name, old.policy) == ("loop-api", "unless-stopped")
    assert kept.policy == "no" and old.starts == 2 and clean(engine)
    assert engine.images == {"loop-api:next": new.image}


def test_disk_of_the_engine_that_is_full_before_anything_is_stopped(
    run: Run, engine: ScriptedEngine, old: Container, new: Container
) -> None:
    """Neither the way there nor the way back can be written down, and the old container never ended."""
    engine.fault("POST .*/update", status=500, message="no space left on device", times=10_000)
    result = swap(run, engine)
    assert result["rolled_back"] is True and "is down" not in result["msg"]
    assert "no space left on device" in result["msg"] and "loopdeploy recover" in result["msg"]
    assert old.running and old.starts == 1
    engine.faults.clear()
    assert swap(run, engine, "healed")["changed"] is True
    assert engine.names() == {"loop-api": "running"} and old.starts == 1 and clean(engine)


def test_release_that_never_starts_again_does_not_keep_its_remedy_out(
    run: Run, engine: ScriptedEngine, old: Container, new: Container
) -> None:
    """A deployment gives it up, stopped in its place, and puts a release there that works."""
    old.refusal, new.polls = "mount /vault: no such file", 0
    swap(run, engine)
    (told,) = swap(run, engine, "healed", down="given_up")["healed"]
    assert "gave release old of loop-api up" in told and "mount /vault: no such file" in told
    assert "loopdeploy start loop-api" in told
    assert (old.name, old.status, old.policy) == ("loop-api", "exited", "unless-stopped") and clean(engine)
    remedy = engine.add("loop-api-next", policy="no", release="remedy")
    assert "msg" not in swap(run, engine)
    assert (remedy.name, remedy.running, old.name) == ("loop-api", True, "loop-api-previous")


def test_release_that_does_not_start_is_kept_until_its_remedy_is_built(
    run: Run, engine: ScriptedEngine, old: Container, new: Container
) -> None:
    """The build may fail: what the way back needs is all there, and the cause may be gone by then."""
    kept = engine.add("loop-api-previous", policy="no", status="exited")
    old.refusal, new.polls = "mount /vault: no such file", 0
    swap(run, engine)
    names = engine.names()
    (told,) = swap(run, engine, "healed", down="kept")["healed"]
    assert "loop-api is down" in told and "mount /vault: no such file" in told
    assert engine.names() == names and not clean(engine)
    old.refusal = ""
    assert swap(run, engine, "healed", down="given_up")["healed"] == [
        "undid the interrupted replacement of loop-api: release old is in its place"
    ]
    assert engine.names() == SERVED and kept.name == "loop-api-previous"


@pytest.mark.parametrize("kept", [True, False])
def test_release_that_is_given_up_is_never_lost(
    run: Run, engine: ScriptedEngine, old: Container, new: Container, kept: bool
) -> None:
    """Where the way back ended before the old container had its name again, it gets it first, or nothing is done."""
    if kept:
        engine.add("loop-api-previous", policy="no", status="exited")
    new.polls = 0
    engine.fault(f"POST .*/{old.id}/rename.name=loop-api$", status=500, message="device busy", times=3)
    assert "loop-api is down" in swap(run, engine)["msg"]
    assert "device busy" in swap(run, engine, "healed", down="given_up")["msg"]
    assert not clean(engine) and old in engine.containers
    old.refusal = "mount /vault: no such file"
    engine.faults.clear()
    swap(run, engine, "healed", down="given_up")
    assert (old.name, old.policy) == ("loop-api", "unless-stopped") and clean(engine)
    assert engine.names() == ({"loop-api": "exited", "loop-api-previous": "exited"} if kept else {"loop-api": "exited"})


def test_engine_that_does_not_answer_is_no_reason_to_give_a_release_up(
    run: Run, engine: ScriptedEngine, old: Container, new: Container
) -> None:
    """It comes back, and the journal still knows what is to be done."""
    engine.fault("POST .*/start", times=10_000)
    assert "does not answer" in swap(run, engine)["msg"]
    engine.fault("POST .*/(start|update)", times=10_000)
    assert "does not answer" in swap(run, engine, "healed", down="given_up")["msg"]
    assert not clean(engine)
    engine.faults.clear()
    swap(run, engine, "healed")
    assert old.running and clean(engine)


def test_what_a_killed_proof_left_is_removed(run: Run, engine: ScriptedEngine, old: Container) -> None:
    """A candidate and a successor that nobody waits for any more."""
    engine.add("loop-api-candidate", port=None, run=True)
    engine.add("loop-api-next", policy="no")
    assert swap(run, engine, "healed")["healed"] == [
        "removed loop-api-candidate, which an interrupted run left",
        "removed loop-api-next, which an interrupted run left",
    ]
    assert engine.containers == [old]


@pytest.mark.parametrize("text", ["", "{", "{}", '"x"', "[1]", "null"])
def test_damaged_journal_is_named_and_nothing_touched(
    run: Run, engine: ScriptedEngine, new: Container, tmp_path: Path, text: str
) -> None:
    """Nobody guesses what a replacement was about."""
    (tmp_path / "swap-loop-api.json").write_text(text)
    assert "swap-loop-api.json is damaged: look at the containers" in swap(run, engine, "healed")["msg"]
    assert engine.names() == {"loop-api": "running", "loop-api-next": "created"}


@pytest.mark.parametrize("file", ["swap-loop-api.json.partial", "swap.lock"])
def test_full_disk_is_found_out_before_anything_is_touched(
    run: Run, engine: ScriptedEngine, new: Container, tmp_path: Path, file: str
) -> None:
    """A directory in the file's place stands for a disk that takes no more."""
    (tmp_path / file).mkdir()
    assert "free space on the NAS; nothing was touched." in swap(run, engine)["msg"]
    assert all(request.startswith("GET ") for request in engine.seen)


def test_outcome_is_left_for_the_history(run: Run, engine: ScriptedEngine, new: Container, tmp_path: Path) -> None:
    """Done or rolled back, with both releases and the gap."""
    (tmp_path / "lock").mkdir()
    new.polls = 0
    swap(run, engine)
    (line,) = noted(engine)
    assert {**line, "gap": 0} == {**RELEASES, "outcome": "rolled back", "gap": 0}
    assert line["gap"] > 0


def test_way_back_that_fails_and_then_does_not_is_left_for_the_history(
    run: Run, engine: ScriptedEngine, old: Container, new: Container, tmp_path: Path
) -> None:
    """With the time so far; when a later run brings it back, nobody knows how long that was."""
    (tmp_path / "lock").mkdir()
    old.refusal, new.polls = "no such file", 0
    assert "; loop-api was away for" in swap(run, engine)["msg"]
    assert "was away" not in swap(run, engine, "healed")["msg"]
    old.refusal = ""
    swap(run, engine, "healed")
    first, *others = noted(engine)
    assert first["gap"] > 0 and {**first, "gap": 0} == {**RELEASES, "outcome": "failed", "gap": 0}
    assert others == [{**RELEASES, "outcome": "failed"}, {**RELEASES, "outcome": "undone"}]


def test_swap_that_is_finished_later_is_left_for_the_history(
    run: Run, engine: ScriptedEngine, new: Container, tmp_path: Path
) -> None:
    """The run that began it cannot tell any more."""
    engine.add("loop-api-previous", policy="no", status="exited")
    engine.fault("DELETE", status=500, message="device busy")
    swap(run, engine)
    (tmp_path / "lock").mkdir()
    swap(run, engine, "healed")
    assert noted(engine) == [{**RELEASES, "outcome": "finished"}]


def test_full_disk_does_not_hide_that_the_old_one_runs_again(
    run: Run, engine: ScriptedEngine, new: Container, tmp_path: Path
) -> None:
    """The line for the history is worth less than the answer."""
    (tmp_path / "lock" / "swaps.jsonl").mkdir(parents=True)
    new.polls = 0
    assert swap(run, engine)["rolled_back"] is True


def test_journal_is_on_the_disk_before_the_engine_is_asked(
    run: Run, engine: ScriptedEngine, new: Container, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its directory, too: else a power cut could lose the file and keep what the engine did."""
    settled: list[tuple[bool, int]] = []
    fsync, directory = os.fsync, tmp_path.stat()

    def watched(handle: int) -> None:
        if os.path.samestat(os.fstat(handle), directory):
            settled.append((clean(engine), sum(request.startswith("POST ") for request in engine.seen)))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    swap(run, engine)
    written, cleared = settled
    assert written == (False, 0) and cleared[0] and cleared[1] > 0


def test_two_replacements_wait_for_each_other(run: Run, engine: ScriptedEngine, new: Container, tmp_path: Path) -> None:
    """The second gives up after a while, and has touched nothing."""
    with alone(str(tmp_path)):
        assert "Another replacement on this NAS did not end within 180 s" in swap(run, engine)["msg"]
    assert engine.seen == []


def test_replacement_is_deaf_while_it_lasts(run: Run, tmp_path: Path) -> None:
    """A cut SSH line ends nothing halfway."""
    with alone(str(tmp_path)):
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
            os.kill(os.getpid(), number)
