"""Locks that somebody left."""

from __future__ import annotations

import getpass
import json
import socket
import subprocess
from pathlib import Path

import pytest

from tests.faults.conftest import next_run_succeeds
from tests.lab.conftest import STATE
from tests.lab.conftest import Nas
from tests.lab.conftest import deploy
from tests.lab.conftest import loopdeploy


def lock(nas: Nas, **owner: object) -> None:
    """Leave a lock on the NAS; one without an owner is half written."""
    nas.run("mkdir", f"{STATE}/lock")
    if owner:
        nas.run("sh", "-c", f"cat > {STATE}/lock/owner.json", stdin=json.dumps(owner))


def mine(pid: int) -> dict[str, object]:
    """Return this user on this host as a lock's owner."""
    user, host = getpass.getuser(), socket.gethostname()
    place = f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    return {
        "user": user,
        "host": host,
        "place": place,
        "pid": pid,
        "token": f"{user}@{host}:{pid}:1",
        "verb": "rebuild",
        "at": "then",
    }


def ended() -> int:
    """Return the id of a process that is gone."""
    with subprocess.Popen(["true"]) as process:
        return process.pid


def test_the_lock_of_a_dead_process_is_taken_over(nas: Nas) -> None:
    """It is named, and its run is closed in the history."""
    lock(nas, **mine(ended()), lease=3600, until=10**9)
    result = deploy("restart")
    assert "that run is gone" in result.stdout
    next_run_succeeds(nas)


@pytest.mark.fast
def test_the_lock_of_another_host_counts(nas: Nas) -> None:
    """Nobody here can know whether that one still runs; `unlock` is for who does."""
    uptime = int(float(nas.run("cat", "/proc/uptime").split()[0]))
    before = nas.lives()
    lock(nas, user="ann", host="desk", pid=1, token="t", verb="stop", at="then", lease=3600, until=uptime + 3000)
    result = loopdeploy("restart")
    assert result.returncode == 6
    assert "ann on desk (process 1), who runs stop since then" in result.stderr
    assert loopdeploy("rebuild").returncode == 6
    assert nas.lives() == before
    assert "removed the lock of ann on desk" in deploy("unlock").stdout
    next_run_succeeds(nas)


def test_unlock_does_not_take_the_lock_of_a_run_that_is_alive_here(nas: Nas) -> None:
    """It says whose it is and how to end it; once that run is gone, the next verb takes the lock over."""
    with subprocess.Popen(["sleep", "60"]) as process:
        born = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
        owner = {**mine(process.pid), "token": f"x:{born}", "lease": 3600}
        lock(nas, **owner, until=int(float(nas.run("cat", "/proc/uptime").split()[0])) + 3000)
        result = loopdeploy("unlock")
        process.kill()
    assert result.returncode == 6, result.stdout + result.stderr
    assert f"(process {process.pid}), who runs rebuild since then: that run is alive" in result.stderr
    assert nas.run("ls", f"{STATE}/lock").split() == ["owner.json"]
    assert "that run is gone" in deploy("restart").stdout
    next_run_succeeds(nas)


@pytest.mark.parametrize("until", [1, "x", None])
def test_a_lock_past_its_lease_is_taken_over(nas: Nas, until: object) -> None:
    """Whoever it was had his time."""
    lock(nas, user="ann", host="desk", pid=1, token="t", verb="stop", at="then", lease=3600, until=until)
    assert "its lease is over" in deploy("restart").stdout
    next_run_succeeds(nas)


def test_a_half_written_lock_counts_while_it_may_be_in_the_making(nas: Nas) -> None:
    """A moment later it does not."""
    lock(nas)
    assert loopdeploy("restart").returncode == 6
    nas.run("touch", "--date", "2 minutes ago", f"{STATE}/lock")
    assert "half written" in deploy("restart").stdout
    next_run_succeeds(nas)


def test_a_lock_from_before_a_restart_of_the_nas_is_taken_over(nas: Nas) -> None:
    """Nothing that ran then runs now."""
    lock(nas, user="ann", host="desk", pid=1, token="t", verb="stop", at="then", lease=3600, until=10**12)
    assert "started anew" in deploy("restart").stdout
    next_run_succeeds(nas)


@pytest.mark.parametrize("garbage", ["\\0\\1\\2 not json", '{"event": "start"', '[1, 2]\\n"x"\\n{}', ""])
def test_a_history_full_of_garbage_is_read_and_written_on(nas: Nas, garbage: str) -> None:
    """What can be read is shown; the next line is whole."""
    nas.run("sh", "-c", f"printf '{garbage}' > {STATE}/history.jsonl")
    deploy("restart")
    (run,) = [run for run in json.loads(deploy("history", "--json").stdout) if run["verb"] == "restart"]
    assert run["outcome"] == "done"
    assert "restart" in deploy("history").stdout
