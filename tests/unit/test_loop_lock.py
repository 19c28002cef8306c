"""Whether the owner of a lock is still there, seen from where the operator is."""

from __future__ import annotations

import getpass
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Filters = dict[str, Callable[..., Any]]


@pytest.fixture
def filters(load: Callable[[str], ModuleType]) -> Filters:
    """Return the filters as Ansible gets them."""
    return dict(load("loop_service/filter_plugins/loop_lock.py").FilterModule().filters())


@pytest.fixture
def mine(filters: Filters) -> dict[str, Any]:
    """Return the owner that this process would be."""
    return dict(filters["loop_lock_mine"]({"verb": "rebuild"}))


def ended() -> int:
    """Return the id of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_owner_is_this_user_on_this_host(mine: dict[str, Any]) -> None:
    """Its token names the process, and when that began."""
    assert (mine["user"], mine["host"], mine["pid"]) == (getpass.getuser(), socket.gethostname(), os.getpid())
    assert mine["verb"] == "rebuild"
    assert mine["token"].startswith(f"{getpass.getuser()}@{socket.gethostname()}:{os.getpid()}:")
    assert mine["token"].rpartition(":")[2].isdigit()


def test_every_process_of_a_run_is_the_same_owner(filters: Filters, mine: dict[str, Any]) -> None:
    """Ansible evaluates a filter in its workers, too."""
    import multiprocessing

    queue = multiprocessing.get_context("fork").SimpleQueue()
    worker = multiprocessing.get_context("fork").Process(
        target=lambda: queue.put(filters["loop_lock_mine"]({})["token"])
    )
    worker.start()
    assert queue.get() == mine["token"]
    worker.join()


@pytest.mark.parametrize(
    ("lines", "owner"),
    [
        ([], {"held": False}),
        (["taken", "/loop-api locked"], {"held": False}),
        (["x", 'locked {"user": "ann"}'], {"held": True, "user": "ann"}),
        (["locked "], {"held": True}),
        (['locked {"user": '], {"held": True}),
        (["locked []"], {"held": True}),
        (["locked 3"], {"held": True}),
        (['locked "x"'], {"held": True}),
    ],
)
def test_owner_is_read_from_what_begin_told(filters: Filters, lines: list[str], owner: dict[str, Any]) -> None:
    """Half of one, or none, is an owner that cannot be named."""
    assert filters["loop_lock_owner"](lines) == owner


def test_running_owner_is_not_dead(filters: Filters, mine: dict[str, Any]) -> None:
    """A second call beside the first waits its turn."""
    assert filters["loop_lock_dead"](mine) is False


def test_ended_owner_is_dead(filters: Filters, mine: dict[str, Any]) -> None:
    """It was killed, and will not give the lock back."""
    assert filters["loop_lock_dead"]({**mine, "pid": ended()}) is True


def test_another_process_with_its_id_is_not_the_owner(filters: Filters, mine: dict[str, Any]) -> None:
    """Process ids are used again."""
    assert filters["loop_lock_dead"]({**mine, "token": mine["token"] + "0"}) is True


@pytest.mark.parametrize(
    "changes",
    [{"user": "ann"}, {"host": "desk"}, {"pid": "x"}, {"pid": None}, {"pid": 2**80}, {"pid": -1}, {"pid": 1.5}],
)
def test_owner_of_whom_nothing_is_known_is_not_dead(
    filters: Filters, mine: dict[str, Any], changes: dict[str, Any]
) -> None:
    """Another user's or another host's run may well be alive; its lease decides."""
    assert filters["loop_lock_dead"]({**mine, **changes}) is False


BEFORE = "01234567-89ab-cdef-0123-456789abcdef"
# Knows of one boot, as journalctl 252 does.
JOURNAL = f"""#!/bin/sh
for match; do :; done
[ "$*" = "--quiet --lines=1 --output=json $match" ] || exit 2
[ "$match" != "_BOOT_ID={BEFORE.replace("-", "")}" ] || echo '{{"MESSAGE":"hello"}}'
"""


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let this machine have been in another boot before."""
    path = tmp_path / "bin" / "journalctl"
    path.parent.mkdir()
    path.write_text(JOURNAL)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{path.parent}:/bin:/usr/bin")
    return path


@pytest.mark.parametrize("container", ["pid:[4026531836]", "pid:[4026532000]"])
def test_owner_of_an_earlier_boot_is_dead(
    filters: Filters, mine: dict[str, Any], journal: Path, container: str
) -> None:
    """No process outlives its kernel, whatever has its id now."""
    owner = {**mine, "place": f"{BEFORE} {container}"}
    assert (filters["loop_lock_dead"](owner), filters["loop_lock_alive"](owner)) == (True, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"user": "ann"},
        {"host": "desk"},
        # Of a machine of the same image, which may be at work.
        {"place": "fedcba98-89ab-cdef-0123-456789abcdef pid:[4026531836]"},
        {"place": ""},
        {"place": None},
        {"place": "\0"},
    ],
)
def test_boot_that_this_machine_was_never_in_proves_nothing(
    filters: Filters, mine: dict[str, Any], journal: Path, changes: dict[str, Any]
) -> None:
    """Its lease decides."""
    assert filters["loop_lock_dead"]({**mine, "place": f"{BEFORE} pid:[4026531836]", **changes}) is False


def test_container_beside_this_one_is_of_this_boot(filters: Filters, mine: dict[str, Any], journal: Path) -> None:
    """Both may be alive, and the journal knows the boot of both."""
    boot = mine["place"].partition(" ")[0]
    journal.write_text("#!/bin/sh\necho '{}'\n")
    assert filters["loop_lock_dead"]({**mine, "pid": ended(), "place": f"{boot} pid:[1]"}) is False


@pytest.mark.parametrize("text", [None, "#!/bin/sh\nexit 1\n", "#!/bin/sh\necho No journal files were found. >&2\n"])
def test_without_a_journal_nothing_is_known_of_earlier_boots(
    filters: Filters, mine: dict[str, Any], journal: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    """In a container, or without systemd."""
    if text is None:
        monkeypatch.setenv("PATH", str(journal.parent / "none"))
    else:
        journal.write_text(text)
    assert filters["loop_lock_dead"]({**mine, "place": f"{BEFORE} pid:[4026531836]"}) is False


def test_without_proc_no_boot_is_known(
    filters: Filters, mine: dict[str, Any], journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On macOS."""
    monkeypatch.setitem(filters["loop_lock_dead"].__globals__, "_place", lambda: "")
    assert filters["loop_lock_dead"]({**mine, "place": f"{BEFORE} pid:[4026531836]"}) is False


@pytest.mark.parametrize(
    ("user", "host", "who"),
    [
        ("AD\\kim", "desk", "AD%5Ckim@desk"),
        ("zoë", "büro", "zo%C3%AB@b%C3%BCro"),
        ('a"b', "desk", "a%22b@desk"),
        ("a\udcff", "desk", "a%FF@desk"),
        ("ann.b-c_d", "desk.lan", "ann.b-c_d@desk.lan"),
    ],
)
def test_token_is_the_same_in_json(
    filters: Filters, monkeypatch: pytest.MonkeyPatch, user: str, host: str, who: str
) -> None:
    """The scripts on the NAS search for it there; user and host stay as they are."""
    monkeypatch.setenv("LOGNAME", user)
    monkeypatch.setattr("socket.gethostname", lambda: host)
    mine = filters["loop_lock_mine"]({})
    assert (mine["user"], mine["host"]) == (user, host)
    assert mine["token"].startswith(f"{who}:{os.getpid()}:") and json.dumps(mine["token"]) == f'"{mine["token"]}"'
    assert filters["loop_lock_alive"](mine) is True


@pytest.mark.parametrize("owner", [{}, {"held": True}])
def test_unknown_owner_is_neither_dead_nor_alive(filters: Filters, owner: dict[str, Any]) -> None:
    """A lock that is just being made has none yet."""
    assert (filters["loop_lock_dead"](owner), filters["loop_lock_alive"](owner)) == (False, False)


def test_running_owner_is_alive(filters: Filters, mine: dict[str, Any]) -> None:
    """So nobody takes its lock from it unseen."""
    assert filters["loop_lock_alive"](mine) is True
    # Of another account, too: the kernel tells everybody when a process began.
    assert filters["loop_lock_alive"]({**mine, "user": "ann"}) is True


@pytest.mark.parametrize(
    "changes",
    [{"host": "desk"}, {"place": "x"}, {"pid": "x"}, {"pid": None}, {"pid": -1}, {"token": "x:1"}],
)
def test_owner_of_whom_nothing_is_known_is_not_alive(
    filters: Filters, mine: dict[str, Any], changes: dict[str, Any]
) -> None:
    """What cannot be proved keeps no lock from an operator who knows better."""
    assert filters["loop_lock_alive"]({**mine, **changes}) is False


def test_ended_owner_is_not_alive(filters: Filters, mine: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Gone, or a zombie; and on macOS nobody can tell."""
    assert filters["loop_lock_alive"]({**mine, "pid": ended()}) is False
    for born in ("", "ended"):
        monkeypatch.setitem(filters["loop_lock_alive"].__globals__, "_born", lambda pid, born=born: born)
        assert filters["loop_lock_alive"]({**mine, "token": f"x:{born}"}) is False


def test_without_proc_the_process_alone_counts(
    filters: Filters, mine: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On macOS there is no /proc to ask."""
    monkeypatch.setitem(filters["loop_lock_dead"].__globals__, "_born", lambda pid: "")
    entry = filters["loop_lock_mine"]({})
    assert entry["token"].endswith(f":{os.getpid()}:")
    assert filters["loop_lock_dead"](entry) is False
    assert json.dumps(entry)
