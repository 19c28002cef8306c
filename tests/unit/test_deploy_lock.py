"""Who may take the lock of a NAS over."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import loop_lock

from tests.unit.conftest import ROLES
from tests.unit.conftest import Run

ME = {"token": "bob@lap:2:2", "user": "bob", "host": "lap", "pid": 2, "verb": "rebuild"}
ANN = {
    "token": "ann@desk:1:1",
    "user": "ann",
    "host": "desk",
    "pid": 1,
    "verb": "restart",
    "at": "2026-11-22T08:00:00Z",
}
WHO = "ann on desk (process 1), who runs restart since 2026-11-22T08:00:00Z"
UP = 50_000
BOOT = "d177d987-a836-47f1-8f15-fef96d401aa9"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the NAS be up for a while."""
    monkeypatch.setattr(loop_lock, "uptime", lambda: UP)
    monkeypatch.setattr(loop_lock, "boot_id", lambda: BOOT)
    return tmp_path / "state"


def held(state: Path, text: str | None = None, **changes: object) -> None:
    """Let somebody hold the lock, by default for another 600 s of an hour."""
    (state / "lock").mkdir(parents=True)
    owner = {**ANN, "lease": 3600, "until": UP + 600, **changes}
    if text != "":
        (state / "lock" / "owner.json").write_text(text or json.dumps(owner))


def take(run: Run, state: Path, check_mode: bool = False, **more: object) -> tuple[str, dict[str, Any]]:
    """Ask for the lock."""
    return run("deploy_lock", check_mode, state_dir=str(state), owner=ME, **more)


def owner(state: Path) -> Any:
    """Return the token of the lock's owner."""
    return json.loads((state / "lock" / "owner.json").read_text())["token"]


def history(state: Path) -> list[dict[str, Any]]:
    """Return the lines of the history."""
    return [json.loads(line) for line in (state / "history.jsonl").read_text().splitlines()]


def test_held_lock_is_refused_with_who_since_when_and_what_for(run: Run, state: Path) -> None:
    """Another host's run may well be alive, for all we know."""
    held(state)
    kind, result = take(run, state)
    assert kind == "failed"
    assert result["msg"].startswith(f"The NAS is locked by {WHO}: wait until")
    assert owner(state) == ANN["token"] and not (state / "history.jsonl").exists()


@pytest.mark.parametrize(
    ("changes", "dead", "why"),
    [
        ({}, ANN["token"], "that run is gone"),
        ({"until": UP - 1}, None, "its lease is over"),
        ({"until": "soon"}, None, "its lease is over"),
        # The NAS was up for 10 days when it was taken, and was started anew since.
        ({"until": 864_000 + 3600}, None, "the NAS was started anew since"),
        ({"until": 864_000 + 3600, "nas_boot": ""}, None, "the NAS was started anew since"),
        # It was up for as long then as it is now.
        ({"nas_boot": "another"}, None, "the NAS was started anew since"),
        ({"nas_boot": 1}, None, "the NAS was started anew since"),
        # A container has its host's.
        ({"until": 864_000 + 3600, "nas_boot": BOOT}, None, "the NAS was started anew since"),
    ],
)
def test_lock_that_does_not_count_any_more_is_taken_over(
    run: Run, state: Path, changes: dict[str, Any], dead: str | None, why: str
) -> None:
    """Whose it was is told, and written into the history."""
    held(state, **changes)
    kind, result = take(run, state, dead=dead)
    assert (kind, result["why"]) == ("ok", f"took over the lock of {WHO}: {why}")
    assert (result["run"], owner(state)) == (ANN["token"], ME["token"])
    begun = [(line["token"], line["event"], line.get("outcome")) for line in history(state)]
    assert begun == [(ANN["token"], "end", "interrupted"), (ME["token"], "start", None)]


@pytest.mark.parametrize(("then", "now"), [(BOOT, BOOT), ("", BOOT), (None, BOOT), (BOOT, ""), ("", "")])
def test_lock_of_this_boot_or_of_an_unknown_one_counts(
    run: Run, state: Path, monkeypatch: pytest.MonkeyPatch, then: str | None, now: str
) -> None:
    """Within its lease; an older loopdeploy wrote none."""
    monkeypatch.setattr(loop_lock, "boot_id", lambda: now)
    held(state, nas_boot=then)
    assert take(run, state)[0] == "failed"


def test_boot_is_written_down(run: Run, state: Path) -> None:
    """So that whoever comes behind a reboot sees it."""
    take(run, state)
    assert json.loads((state / "lock" / "owner.json").read_text())["nas_boot"] == BOOT


def test_boot_is_the_kernel_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """None where the kernel does not say."""
    monkeypatch.undo()
    assert loop_lock.boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    def refused(path: str) -> None:
        raise FileNotFoundError(path)

    monkeypatch.setattr(loop_lock, "open", refused, raising=False)
    assert loop_lock.boot_id() == ""


def test_lock_that_is_taken_just_before_is_held(run: Run, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """begin.sh takes it by its mkdir, and asks nobody: two must not both have it."""
    state.mkdir()
    mkdir = os.mkdir

    def slower(path: str, mode: int = 0o777) -> None:
        monkeypatch.setattr(os, "mkdir", mkdir)
        held(state)
        mkdir(path, mode)

    monkeypatch.setattr(os, "mkdir", slower)
    kind, result = take(run, state)
    assert kind == "failed" and result["msg"].startswith(f"The NAS is locked by {WHO}: wait until")
    assert owner(state) == ANN["token"] and not (state / "history.jsonl").exists()


@pytest.mark.parametrize("step", ["read_owner", "close"])
def test_lock_that_is_given_back_just_now_is_free(
    run: Run, state: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Its lease was over, and its owner is done after all."""
    held(state, until=0)
    done = getattr(loop_lock, step)

    def overtaken(*arguments: Any) -> Any:
        shutil.rmtree(state / "lock", ignore_errors=True)
        return done(*arguments)

    monkeypatch.setattr(loop_lock, step, overtaken)
    assert take(run, state)[0] == "ok"
    assert owner(state) == ME["token"]


@pytest.mark.parametrize("dead", ["ann@desk:1:2", "", None])
def test_only_the_dead_owner_itself_loses_the_lock(run: Run, state: Path, dead: str | None) -> None:
    """Meanwhile another run may have taken it."""
    held(state)
    assert take(run, state, dead=dead)[0] == "failed"


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"'])
@pytest.mark.parametrize(("age", "kind"), [(5, "failed"), (31, "ok"), (-86_400, "ok"), (86_400, "ok")])
def test_half_written_lock_counts_for_a_moment(run: Run, state: Path, text: str, age: int, kind: str) -> None:
    """Somebody is just making it; later, or when the clock jumped, it was left so."""
    held(state, text=text)
    at = os.stat(state / "lock").st_mtime - age
    os.utime(state / "lock", (at, at))
    assert take(run, state)[0] == kind


def test_lease_does_not_depend_on_the_clock(run: Run, state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A NAS whose clock is a day off, or is set meanwhile, keeps to its leases."""
    held(state)
    for jump in (-86_400, 86_400):
        now = loop_lock.time.time() + jump
        monkeypatch.setattr(loop_lock.time, "time", lambda now=now: now)
        assert take(run, state)[0] == "failed"


def test_lock_that_was_given_back_meanwhile_is_free(run: Run, state: Path) -> None:
    """Nobody is named, and the state directory is made if need be."""
    kind, result = take(run, state, lease=60)
    assert (kind, result["why"], result["run"]) == ("ok", "", "")
    assert json.loads((state / "lock" / "owner.json").read_text())["until"] == UP + 60
    assert state.stat().st_mode & 0o777 == 0o700


def test_replacements_of_the_run_before_reach_the_history(run: Run, state: Path) -> None:
    """A line that a full disk cut is left out; the file does not count for the run that follows."""
    held(state, until=0)
    (state / "lock" / "swaps.jsonl").write_text('{"serv{"service": "loop-auth"}\n{"service": "loop-api"}\n{"serv')
    take(run, state)
    assert history(state)[0]["swaps"] == [{"service": "loop-api"}]
    assert not (state / "lock" / "swaps.jsonl").exists()


def test_full_disk_is_named(run: Run, state: Path) -> None:
    """A directory in the file's place stands for a disk that takes no more."""
    held(state, until=0)
    (state / "lock" / "partial").mkdir()
    assert "free space on the NAS; nothing was touched" in take(run, state)[1]["msg"]
    assert owner(state) == ANN["token"]


def test_truncated_history_goes_on_in_a_line_of_its_own(run: Run, state: Path) -> None:
    """A full disk or a power cut may have cut the last one."""
    state.mkdir()
    (state / "history.jsonl").write_text('{"event": "st')
    take(run, state)
    assert (state / "history.jsonl").read_text().startswith('{"event": "st\n{"token"')


def test_check_mode_takes_nothing(run: Run, state: Path) -> None:
    """It says whose lock it would take over."""
    held(state, until=0)
    assert take(run, state, check_mode=True)[1]["why"].endswith("its lease is over")
    assert owner(state) == ANN["token"] and not (state / "history.jsonl").exists()


def unlock(run: Run, state: Path, check_mode: bool = False, **more: object) -> tuple[str, dict[str, Any]]:
    """Remove the lock."""
    return run("deploy_lock", check_mode, state_dir=str(state), state="absent", **more)


@pytest.mark.parametrize(("there", "why"), [(True, f"removed the lock of {WHO}; if that run is alive"), (False, "")])
@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize("alive", [None, "bob@lap:2:2"])
def test_unlock_removes_it_whoever_holds_it(
    run: Run, state: Path, there: bool, why: str, check_mode: bool, alive: str | None
) -> None:
    """The operator knows better; that another run is alive is no reason to keep it."""
    if there:
        held(state)
    kind, result = unlock(run, state, check_mode, alive=alive)
    assert (kind, result["changed"]) == ("ok", there)
    assert result["why"].startswith(why) and bool(result["why"]) is bool(why)
    assert (state / "lock").exists() is (there and check_mode)


@pytest.mark.parametrize("check_mode", [True, False])
def test_unlock_leaves_a_run_that_is_alive_its_lock(run: Run, state: Path, check_mode: bool) -> None:
    """Whose it is, since when, and how to end it."""
    held(state)
    kind, result = unlock(run, state, check_mode, alive=ANN["token"])
    assert kind == "failed"
    assert result["msg"].startswith(f"The NAS is locked by {WHO}: that run is alive") and "`kill 1`" in result["msg"]
    assert owner(state) == ANN["token"] and not (state / "history.jsonl").exists()


def test_unlock_writes_down_what_the_run_replaced(run: Run, state: Path) -> None:
    """It was interrupted, and cannot say it any more; that nobody knows whose a lock was hinders nothing."""
    held(state)
    (state / "lock" / "swaps.jsonl").write_text('{"service": "loop-api"}\n')
    unlock(run, state)
    (line,) = history(state)
    assert (line["token"], line["outcome"], line["swaps"]) == (ANN["token"], "interrupted", [{"service": "loop-api"}])
    held(state, text="{")
    assert unlock(run, state)[1]["why"].startswith("removed the lock of an unknown run")
    assert len(history(state)) == 1


def test_unlock_works_on_a_full_disk(run: Run, state: Path) -> None:
    """A directory in the history's place stands for one."""
    held(state)
    (state / "history.jsonl").mkdir()
    assert unlock(run, state)[0] == "ok"
    assert not (state / "lock").exists()


TAKE = """
import sys, time, types
for name, path in (("ansible", []), ("ansible.module_utils", [sys.argv[1]])):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = path
from ansible.module_utils import loop_lock
owner = {"token": sys.argv[3], "user": "bob", "host": "lap", "pid": 2, "verb": "rebuild"}
read = loop_lock.read_owner
# Long enough that the others look, too.
loop_lock.read_owner = lambda lock: (read(lock), time.sleep(0.05))[0]
print("ready", flush=True)
sys.stdin.readline()
try:
    wanted = {"state_dir": sys.argv[2], "state": "present", "dead": "x", "owner": owner, "lease": 60}
    loop_lock.change_lock(wanted, False)
    print("won")
except loop_lock.Problem:
    print("lost")
"""


def test_of_many_who_take_it_over_at_once_one_wins(state: Path) -> None:
    """Each sees the same dead lock; whoever comes second sees the first one's."""
    held(state, token="x")
    utils = str(ROLES / "loop_service" / "module_utils")
    calls = [
        subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", TAKE, utils, str(state), f"t{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(6)
    ]
    for call in calls:
        assert call.stdout is not None and call.stdout.readline() == "ready\n"
    for call in calls:
        assert call.stdin is not None
        call.stdin.write("\n")
        call.stdin.flush()
    said = [call.communicate()[0].strip() for call in calls]
    assert sorted(said) == ["lost"] * 5 + ["won"]
    assert owner(state) == f"t{said.index('won')}"
    assert [line["event"] for line in history(state)] == ["end", "start"]


def test_lock_of_nobody_who_can_be_named_is_removed(run: Run, state: Path) -> None:
    """What has no token is no run that could be alive."""
    held(state, text='{"user": "ann"}')
    assert unlock(run, state)[0] == "ok"
    assert not (state / "lock").exists()
