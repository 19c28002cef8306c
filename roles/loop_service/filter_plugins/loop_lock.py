"""Whether a lock on the NAS is held by somebody who is still there."""

from __future__ import annotations

import getpass
import json
import multiprocessing
import os
import socket
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote


def loop_lock_mine(entry: dict[str, Any]) -> dict[str, Any]:
    """Return ``entry`` with user, host and process id of this ansible-playbook.

    Its token is the same in all of its processes, and in no other run. It is the same in JSON, too: the scripts on the
    NAS search for it in what was written, and JSON has another form of a backslash and of what is not ASCII.
    """
    parent = multiprocessing.parent_process()
    pid = (parent.pid if parent else None) or os.getpid()
    user, host = getpass.getuser(), socket.gethostname()
    identity = {"user": user, "host": host, "place": _place(), "pid": pid}
    who = quote(f"{user}@{host}", safe="@", errors="surrogateescape")
    return {**entry, **identity, "token": f"{who}:{pid}:{_born(pid)}"}


def _place() -> str:
    """Return in which boot and which container this is: two of the same name know nothing of each other's processes.

    Empty where there is no /proc to ask, as on macOS.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _born(pid: object) -> str:
    """Return when a process began, in the kernel's ticks; a process id alone is used again.

    Empty where there is no /proc to ask, as on macOS; "ended" of a zombie. See proc(5), fields 3 and 22 of ``stat``.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "ended" if fields[0] in "ZX" else fields[19]


def loop_lock_owner(lines: list[str]) -> dict[str, Any]:
    """Return the owner in the output of begin.sh: none when we got the lock, empty but for ``held`` when unreadable."""
    for line in lines:
        if line.startswith("locked"):
            try:
                return {"held": True, **json.loads(line[len("locked") :])}
            except (ValueError, TypeError):
                return {"held": True}
    return {"held": False}


def loop_lock_dead(owner: dict[str, Any]) -> bool:
    """Return whether the owner was a process of this user on this host, and is gone."""
    if not _is_from_here(owner):
        return _ended_with_its_boot(owner)
    pid = owner.get("pid")
    if not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    # Alive, or a zombie that nobody buries; but is it the same one?
    return not str(owner.get("token", "")).endswith(f":{_born(pid)}")


def _ended_with_its_boot(owner: dict[str, Any]) -> bool:
    """Return whether the owner was of this user on this machine, before that was started anew.

    Names prove nothing: machines of one image share user, host name and machine-id, and live at once. That this
    machine's own journal knows the owner's boot does. What remains is a disk that was copied while the run was at work:
    who starts the copy under the same names takes the lock over, as `unlock` would.
    """
    here = _place()
    then, now = str(owner.get("place") or "").partition(" ")[0], here.partition(" ")[0]
    if not now or then in ("", now) or not _is_from_here({**owner, "place": here}):
        return False
    return _journal_knows(then)


def _journal_knows(boot: str) -> bool:
    """Return whether the journal of this machine has an entry of that boot; journalctl leaves out other machines'."""
    match = f"_BOOT_ID={boot.replace('-', '')}"
    try:
        found = subprocess.run(
            ["journalctl", "--quiet", "--lines=1", "--output=json", match],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):  # no journal, or no boot id
        return False
    return bool(found.stdout.strip())


def loop_lock_alive(owner: dict[str, Any]) -> bool:
    """Return whether the owner is a process on this host, of whatever user, and runs; nobody can know without /proc."""
    if not _is_from_here({**owner, "user": getpass.getuser()}):
        return False
    born = _born(owner.get("pid"))
    return born not in ("", "ended") and str(owner.get("token", "")).endswith(f":{born}")


def _is_from_here(owner: dict[str, Any]) -> bool:
    mine = {"user": getpass.getuser(), "host": socket.gethostname(), "place": _place()}
    return all(owner.get(key) == value for key, value in mine.items())


class FilterModule:
    """The filters of this file, as Ansible looks for them."""

    def filters(self) -> dict[str, object]:
        """Return each filter by its name."""
        return {
            "loop_lock_mine": loop_lock_mine,
            "loop_lock_owner": loop_lock_owner,
            "loop_lock_dead": loop_lock_dead,
            "loop_lock_alive": loop_lock_alive,
        }
