"""What the operator sees while a playbook runs."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest

from loopdeploy.progress import Progress
from loopdeploy.target import DEFAULT_INVENTORY
from loopdeploy.target import Target

FIX = "missing: `loopdeploy bootstrap` makes it"

CENSORED = {"censored": "the output has been hidden due to the fact that 'no_log: true' was specified for this result"}


def event(
    kind: str, task: str = "Do it", action: str = "ansible.builtin.command", stdout: str = "", **result: object
) -> dict[str, Any]:
    """Return an event as ansible-runner gives it."""
    data = {"task": task, "task_action": action, "duration": 1.25, "res": result}
    return {"event": kind, "event_data": data, "stdout": stdout}


def show(
    *events: dict[str, Any], verbose: bool = False, check: bool = False, inventory: str = DEFAULT_INVENTORY
) -> Progress:
    """Show ``events``."""
    progress = Progress(verbose, check, Target(inventory=inventory).advised)
    for one in events:
        progress(one)
    return progress


def test_step_goes_to_standard_error_with_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    """The role's name is left out; standard output stays for what the playbook says."""
    show(event("runner_on_start"), event("runner_on_ok", "loop_service : Build it", changed=False))
    assert capsys.readouterr() == ("", "         ok    1.2 s  Build it\n")


@pytest.mark.parametrize(
    ("kind", "changed", "mark"),
    [
        ("runner_on_ok", True, "changed"),
        ("runner_on_ok", False, "ok"),
        ("runner_on_failed", False, "failed"),
        ("runner_on_failed", True, "failed"),
        ("runner_on_unreachable", False, "unreachable"),
    ],
)
def test_step_shows_how_it_ended(capsys: pytest.CaptureFixture[str], kind: str, changed: bool, mark: str) -> None:
    """A failed step that changed something is a failed step."""
    show(event(kind, changed=changed))
    assert capsys.readouterr().err.split()[0] == mark


@pytest.mark.parametrize(("message", "output"), [("a", "a\n"), (["a", "b"], "a\nb\n")])
@pytest.mark.parametrize("action", ["ansible.builtin.debug", "ansible.builtin.assert"])
def test_message_goes_to_standard_output(
    capsys: pytest.CaptureFixture[str], action: str, message: object, output: str
) -> None:
    """What the playbook has to say can be piped on."""
    show(event("runner_on_ok", action=action, msg=message))
    assert capsys.readouterr() == (output, "")


@pytest.mark.parametrize("message", [FIX, ["a table", FIX]])
@pytest.mark.parametrize("action", ["ansible.builtin.debug", "ansible.builtin.assert"])
def test_advice_of_a_playbook_names_the_inventory(
    capsys: pytest.CaptureFixture[str], action: str, message: object
) -> None:
    """A fix that is copied out of doctor's table must not meet the default inventory."""
    show(event("runner_on_ok", action=action, msg=message), inventory="office")
    assert capsys.readouterr().out.splitlines()[-1] == "missing: `loopdeploy -i office bootstrap` makes it"


@pytest.mark.parametrize("inventory", ["office", 'my "own" nas', "a\\b"])
def test_advice_in_json_names_the_inventory_and_leaves_it_json(
    capsys: pytest.CaptureFixture[str], inventory: str
) -> None:
    """Whatever the inventory is called, and a program reads nothing else differently."""
    findings = [{"subject": 'a "b" é', "text": FIX, "count": 1}]
    show(event("runner_on_ok", action="ansible.builtin.debug", msg=json.dumps(findings)), inventory=inventory)
    text = f"missing: `loopdeploy -i {shlex.quote(inventory)} bootstrap` makes it"
    assert json.loads(capsys.readouterr().out) == [{**findings[0], "text": text}]


def test_log_of_a_container_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """What a service printed is evidence."""
    task = "loop_service : Show the log of loop-api"
    lines = [FIX, '{"said": "é \\u00e9 `loopdeploy bootstrap`"}']
    show(event("runner_on_ok", task, "ansible.builtin.debug", msg=lines), inventory="office")
    assert capsys.readouterr().out.splitlines() == lines


@pytest.mark.parametrize("module", ["include_tasks", "include_role", "fail", "debug", "assert"])
def test_steering_task_is_not_shown(capsys: pytest.CaptureFixture[str], module: str) -> None:
    """A task that does nothing on the NAS is no step; a failed one's words come with the error."""
    show(event("runner_on_start", action=f"ansible.builtin.{module}"))
    show(event("runner_on_failed", action=f"ansible.builtin.{module}", msg="no"))
    assert capsys.readouterr() == ("", "")


def test_skipped_task_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """What did not happen is no step."""
    show(event("runner_on_start"), event("runner_on_skipped"))
    assert capsys.readouterr() == ("", "")


def test_hidden_change_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    """A no_log task's result is hidden, that it changed something is not."""
    progress = show(event("runner_on_ok", stdout="\x1b[0;33mchanged: [nas]\x1b[0m", **CENSORED))
    assert progress.changes == 1
    assert capsys.readouterr().err.split()[0] == "changed"


def test_hidden_task_without_a_change_is_not_counted() -> None:
    """A second rebuild says that nothing changed."""
    assert show(event("runner_on_ok", stdout="\x1b[0;32mok: [nas]\x1b[0m", **CENSORED)).changes == 0


def test_log_line_that_speaks_of_a_change_is_none() -> None:
    """What a container's log says does not count."""
    said = event("runner_on_ok", action="ansible.builtin.debug", stdout="ok: [nas] => changed: [x]", msg="changed: [x]")
    assert show(said).changes == 0


@pytest.mark.parametrize(("count", "words"), [(0, "nothing changed"), (1, "1 change"), (2, "2 changes")])
def test_summary_tells_changes_and_time(count: int, words: str) -> None:
    """The last line is the answer to "did it do anything?"."""
    progress = show(*[event("runner_on_ok", changed=True)] * count)
    assert re.fullmatch(rf"rebuild: {words}, \d+\.\d s", progress.summary("rebuild"))


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "no change is foreseen"), (1, "1 change would be made"), (2, "2 changes would be made")],
)
def test_summary_of_a_check_tells_what_would_be(count: int, words: str) -> None:
    """Nobody takes a check for the deed."""
    progress = show(*[event("runner_on_ok", changed=True)] * count, check=True)
    assert progress.summary("rebuild").startswith(f"rebuild: {words}, ")


def test_verbose_prints_ansible_s_own_output_instead(capsys: pytest.CaptureFixture[str]) -> None:
    """-v gives what ansible-playbook would, and still counts."""
    progress = show(
        event("playbook_on_task_start", stdout="TASK [Do it]"),
        event("runner_on_start"),
        event("runner_on_ok", stdout="changed: [nas]", changed=True),
        event("runner_on_ok", action="ansible.builtin.debug", stdout="ok: [nas] => a", msg="a"),
        verbose=True,
    )
    assert capsys.readouterr() == ("TASK [Do it]\nchanged: [nas]\nok: [nas] => a\n", "")
    assert progress.changes == 1


def test_terminal_shows_the_step_under_way(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A long build does not look dead; its line gives way to the result."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    show(event("runner_on_start", "Build"), event("runner_on_ok", "Build", changed=False))
    assert capsys.readouterr().err == "Build …\r\033[K         ok    1.2 s  Build\n"


@pytest.mark.parametrize(
    ("task", "began"),
    [("loop_service : Begin rebuild", True), ("loop_service : Read what runs", False), ("Beginning", False)],
)
@pytest.mark.parametrize("verbose", [True, False])
def test_run_that_may_hold_the_lock_is_known(task: str, began: bool, verbose: bool) -> None:
    """From the moment on in which it asks for it."""
    assert show(event("playbook_on_task_start", task), verbose=verbose).began is began
