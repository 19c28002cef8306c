"""The lock of a NAS when somebody holds it already: who, and whether it still counts."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from contextlib import contextmanager
from contextlib import suppress
from typing import Any
from typing import Iterator

from ansible.module_utils.loop_problem import Problem

# Seconds in which a lock that is being made has no owner yet.
MAKING = 30


def change_lock(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Take the lock over or remove it, and return what deploy_lock returns; raise a Problem when somebody holds it."""
    lock = os.path.join(params["state_dir"], "lock")
    if not os.path.isdir(params["state_dir"]):
        if check_mode or params["state"] == "absent":
            return {"changed": params["state"] == "present", "run": "", "why": ""}  # nobody deployed here yet
        os.makedirs(params["state_dir"], mode=0o700)
    with _alone(params["state_dir"]):
        if params["state"] == "absent":
            owner = read_owner(lock)
            held = os.path.isdir(lock)
            why = _removed(lock, owner, params["alive"], check_mode) if held else ""
            return {"changed": held, "run": owner.get("token", ""), "why": why}
        with suppress(FileNotFoundError):  # it was given back in this very moment
            return _taken(lock, params, check_mode)
        return _taken(lock, params, check_mode)


def _taken(lock: str, params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Take the lock, over if need be; raise a Problem when somebody holds it."""
    facts = {"changed": True, "run": "", "why": ""}
    held = os.path.isdir(lock) if check_mode else not _made(lock)
    if held:
        owner = read_owner(lock)
        facts["run"] = owner.get("token", "")
        facts["why"] = f"took over the lock of {describe(owner)}: {why_stale(lock, owner, params['dead'])}"
        if not check_mode:
            close(params["state_dir"], owner)
    if not check_mode:
        write_owner(lock, params["owner"], params["lease"])
    return facts


def _made(lock: str) -> bool:
    """Make the lock, and return whether it was free: who takes it by begin.sh asks for nothing but this mkdir."""
    try:
        os.mkdir(lock, mode=0o700)
    except FileExistsError:
        return False
    return True


def _removed(lock: str, owner: dict[str, Any], alive: str | None, check_mode: bool) -> str:
    """Remove the lock, and return whose it was; raise a Problem when that run is alive."""
    if alive and owner.get("token") == alive:
        raise Problem(
            f"The NAS is locked by {describe(owner)}: that run is alive on the machine where you are; wait until it is"
            f" done, or end it with Ctrl-C or `kill {owner.get('pid')}`, then the next verb takes its lock over."
        )
    if not check_mode:
        if owner:
            with suppress(OSError):  # a full disk must not keep the lock
                close(os.path.dirname(lock), owner)
        shutil.rmtree(lock)
    return f"removed the lock of {describe(owner)}; if that run is alive after all, end it before you start another"


def why_stale(lock: str, owner: dict[str, Any], dead: str | None) -> str:
    """Return why the lock no longer counts, or raise a Problem that says who holds it."""
    if not owner:
        # The clock may have been set meanwhile, in either direction.
        if abs(time.time() - os.stat(lock).st_mtime) > MAKING:
            return "it was left half written"
    elif dead and owner.get("token") == dead:
        return "that run is gone"
    elif owner.get("nas_boot") and boot_id() not in ("", owner["nas_boot"]):
        return "the NAS was started anew since"
    elif not isinstance(owner.get("until"), int) or uptime() > owner["until"]:
        return "its lease is over"
    elif owner["until"] - uptime() > owner.get("lease", owner["until"]):
        # Seen where no boot id was written: by an older loopdeploy, or by a kernel that tells none.
        return "the NAS was started anew since"
    raise Problem(
        f"The NAS is locked by {describe(owner)}: wait until that run is done, or remove its lock with"
        " `loopdeploy unlock` when it is not running any more."
    )


def describe(owner: dict[str, Any]) -> str:
    """Return who holds the lock, since when, and what for."""
    if not owner:
        return "an unknown run"
    return (
        f"{owner.get('user')} on {owner.get('host')} (process {owner.get('pid')}), who runs {owner.get('verb')} since"
        f" {owner.get('at')}"
    )


def read_owner(lock: str) -> dict[str, Any]:
    """Return the lock's owner, empty when there is no lock, or half of one."""
    try:
        with open(os.path.join(lock, "owner.json")) as file:
            owner = json.load(file)
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def write_owner(lock: str, owner: dict[str, Any], lease: int) -> None:
    """Make ``owner`` the owner of a lock that is there, at once or not at all."""
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    partial = os.path.join(lock, "partial")
    with open(partial, "w") as file:
        json.dump({**owner, "at": at, "lease": lease, "until": uptime() + lease, "nas_boot": boot_id()}, file)
    os.rename(partial, os.path.join(lock, "owner.json"))
    append(os.path.dirname(lock), {**owner, "at": at, "event": "start"})


def close(state: str, owner: dict[str, Any]) -> None:
    """Write into the history what came of a run that cannot say it any more."""
    swaps = os.path.join(state, "lock", "swaps.jsonl")
    done: list[Any] = []
    if os.path.exists(swaps):
        with open(swaps) as file:
            for line in file:
                with suppress(ValueError):  # a full disk cut it
                    done.append(json.loads(line))
        os.unlink(swaps)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    append(state, {**owner, "at": at, "event": "end", "outcome": "interrupted", "step": "", "swaps": done})


def append(state: str, entry: dict[str, Any]) -> None:
    """Append a line to the history, behind whatever a full disk or a power cut left of the last one."""
    with open(os.path.join(state, "history.jsonl"), "ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(json.dumps(entry).encode() + b"\n")


def uptime() -> int:
    """Return the seconds since the NAS was started, which nobody sets."""
    with open("/proc/uptime") as file:
        return int(float(file.read().split()[0]))


def boot_id() -> str:
    """Return what the NAS's kernel calls itself until it is started anew; empty when it does not say."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


@contextmanager
def _alone(state: str) -> Iterator[None]:
    """Let one process at a time look at the lock and change it: two must not take the same one over."""
    handle = os.open(state, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
