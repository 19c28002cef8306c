"""The history of a NAS as an operator reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

START = {
    "token": "t1",
    "user": "ann",
    "host": "desk",
    "verb": "rebuild",
    "at": "2026-11-22T08:00:00Z",
    "event": "start",
}
SWAP = {"service": "loop-api", "before": "old", "after": "new", "gap": 0.8, "outcome": "done"}
END = {**START, "at": "2026-11-22T08:00:09Z", "event": "end", "outcome": "done", "step": "", "swaps": [SWAP]}


@pytest.fixture
def history(load: Callable[[str], ModuleType]) -> Any:
    """Return the filter as Ansible gets it."""
    return load("loop_service/filter_plugins/loop_history.py").FilterModule().filters()["loop_history"]


def lines(*entries: dict[str, Any]) -> list[str]:
    """Return entries as the file has them."""
    return [json.dumps(entry) for entry in entries]


def rows(table: list[str]) -> list[list[str]]:
    """Return the cells of a table without its header."""
    return [[cell.strip() for cell in row.split("  ") if cell.strip()] for row in table[1:]]


def test_run_is_one_row(history: Any) -> None:
    """When, who, which verb, what came of it, from which release to which, and for how long nobody was served."""
    assert rows(history(lines(START, END), False, 20)) == [
        ["2026-11-22 08:00:00", "ann@desk", "rebuild", "done", "loop-api old -> new (0.8 s away)"]
    ]


@pytest.mark.parametrize(
    ("swap", "shown"),
    [
        ({"service": "loop-auth", "backup": "b1", "outcome": "done", "gap": 2.1}, "loop-auth backup b1 (2.1 s away)"),
        ({"service": "loop-auth", "backup": "b1", "outcome": "undone"}, "loop-auth backup b1 (undone)"),
        ({**SWAP, "outcome": "finished", "gap": 0.0}, "loop-api old -> new (0.0 s away)"),
        (
            {"service": "loop-api", "before": "old", "after": "new", "outcome": "finished"},
            "loop-api old -> new (finished)",
        ),
    ],
)
def test_restore_and_healed_swap_are_rows_of_their_own(history: Any, swap: dict[str, Any], shown: str) -> None:
    """Which backup, and of a swap that another run finished or undid, that and no time, which nobody knows."""
    assert rows(history(lines(START, {**END, "swaps": [swap]}), False, 20))[0][4] == shown


def test_run_without_an_end_is_unfinished(history: Any) -> None:
    """It runs, or was killed."""
    assert rows(history(lines(START), False, 20))[0][3:] == ["unfinished", "nothing was replaced"]


def test_failure_names_its_step(history: Any) -> None:
    """What was replaced before it counts more."""
    failed = {**END, "outcome": "failed", "step": "Build loop-api", "swaps": []}
    assert rows(history(lines(START, failed), False, 20))[0][3:] == ["failed", "at: Build loop-api"]
    assert rows(history(lines(START, {**failed, "swaps": [SWAP]}), False, 20))[0][4].startswith("loop-api old -> new")


def test_run_that_lost_its_lock_keeps_what_it_replaced(history: Any) -> None:
    """Whoever took the lock wrote it down; the run itself ends without knowing."""
    lost = {**END, "outcome": "interrupted"}
    assert rows(history(lines(START, lost, {**END, "swaps": []}), False, 20)) == rows(
        history(lines(START, END), False, 20)
    )


def test_run_that_failed_before_it_had_the_lock_is_shown(history: Any) -> None:
    """It has an end and no start."""
    assert rows(history(lines({**END, "outcome": "failed", "swaps": []}), False, 20))[0][1:4] == [
        "ann@desk",
        "rebuild",
        "failed",
    ]


def test_runs_that_overlap_are_kept_apart(history: Any) -> None:
    """Two operators' lines may come in any order."""
    other = {**START, "token": "t2", "verb": "restart"}
    table = rows(history(lines(START, other, END, {**other, "event": "end", "outcome": "failed"}), False, 20))
    assert [row[2:4] for row in table] == [["rebuild", "done"], ["restart", "failed"]]


def test_only_the_last_are_shown_the_newest_last(history: Any) -> None:
    """The screen ends with what happened just now."""
    runs = [{**START, "token": f"t{number}", "verb": f"v{number}"} for number in range(9)]
    assert [row[2] for row in rows(history(lines(*runs), False, 2))] == ["v7", "v8"]


@pytest.mark.parametrize("garbage", ["", "{", "[]", "3", '"x"', "null", "\x00\x00", '{"event": "other"}', "{}"])
def test_garbage_is_left_out(history: Any, garbage: str) -> None:
    """Nothing that can be read is lost to what cannot."""
    assert len(history([garbage, *lines(START), garbage, *lines(END), garbage], False, 20)) == 2


@pytest.mark.parametrize("value", [None, 3, "x", ["x"], [None], {"a": 1}])
@pytest.mark.parametrize("key", ["swaps", "outcome", "step", "at", "user", "verb", "token"])
def test_field_of_another_kind_is_shown_as_it_is(history: Any, key: str, value: object) -> None:
    """A person may have edited the file; that is no reason to show nothing."""
    assert len(history(lines({**END, key: value}), False, 20)) == 2


def test_empty_history_is_a_header(history: Any) -> None:
    """A new NAS has none."""
    assert [line.split()[0] for line in history([], False, 20)] == ["WHEN"]


def test_json_has_all_of_it(history: Any) -> None:
    """For programs; one text, so that it is printed as it is."""
    (run,) = json.loads(history(lines(START, END), True, 20))
    assert run == {
        "at": START["at"],
        "ended": END["at"],
        "who": "ann@desk",
        "verb": "rebuild",
        "outcome": "done",
        "step": "",
        "swaps": [SWAP],
    }
