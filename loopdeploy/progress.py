"""What the operator sees while a playbook runs.

Each step with its time goes to standard error, what the playbook has to say to standard output.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from typing import Any

import click

Event = dict[str, Any]
# What names the inventory in each command that a text advises.
Advised = Callable[[str], str]

# What tasks of these modules have to say is for the operator.
SPOKEN = {"ansible.builtin.assert", "ansible.builtin.debug"}
# What an assertion says that has nothing to say.
ASSERTED = "All assertions passed"
# Tasks of these steer the play on this side; on the NAS nothing happens.
SILENT = {
    *SPOKEN,
    "ansible.builtin.fail",
    "ansible.builtin.include_role",
    "ansible.builtin.include_tasks",
    "ansible.builtin.set_fact",
    "ansible.builtin.validate_argument_spec",
}
# The task with which a verb that changes something takes the lock.
BEGIN = "Begin "
# The task that says what was done about an interrupted run.
HEALED = "Tell what was healed"
# The task that quotes a container; its words are left as they are.
LOG = "Show the log of "
# A string in a JSON document, quotes and all.
JSON_STRING = r'"(?:[^"\\]|\\.)*"'
MARKS = {"runner_on_ok": "ok", "runner_on_failed": "failed", "runner_on_unreachable": "unreachable"}


class Progress:
    """Prints the events of one run; with ``verbose`` Ansible's own output instead.

    With ``check`` the run only tells what it would do. What a playbook advises goes through ``advised``.
    ``began`` tells whether the run may hold the lock of the NAS, ``healed`` what it finished or undid of another one.
    """

    def __init__(self, verbose: bool, check: bool = False, advised: Advised = str) -> None:
        self.verbose = verbose
        self.check = check
        self.advised = advised
        self.live = sys.stderr.isatty() and not verbose
        self.changes = 0
        self.began = False
        self.healed: list[str] = []
        self._started = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Print what ``event`` tells the operator."""
        kind, data = event["event"], event.get("event_data", {})
        self.changes += is_change(event)
        self.began = self.began or step_name(data).startswith(BEGIN)
        if kind == "runner_on_ok" and step_name(data) == HEALED:
            self.healed += data["res"]["msg"]
        if self.verbose:
            if event.get("stdout"):
                click.echo(event["stdout"])
        elif kind == "runner_on_file_diff":
            self._clear_line()
            click.echo(event.get("stdout", ""), err=True)
        elif kind in MARKS:
            self._clear_line()
            self._show(kind, data, is_change(event))
        elif kind == "runner_on_skipped":
            self._clear_line()
        elif kind == "runner_on_start" and self.live and data["task_action"] not in SILENT:
            click.echo(f"{step_name(data)} …", nl=False, err=True)

    def _clear_line(self) -> None:
        if self.live:
            click.echo("\r\033[K", nl=False, err=True)

    def _show(self, kind: str, data: Event, changed: bool) -> None:
        if data["task_action"] in SPOKEN and kind == "runner_on_ok":
            if data["res"]["msg"] != ASSERTED:
                say(data["res"]["msg"], str if step_name(data).startswith(LOG) else self.advised)
        elif data["task_action"] not in SILENT:
            mark = "changed" if changed else MARKS[kind]
            click.echo(f"{mark:>11}  {data['duration']:5.1f} s  {step_name(data)}", err=True)

    def summary(self, verb: str) -> str:
        """Return what the run of ``verb`` came to, or would come to, and its time in seconds."""
        count = "1 change" if self.changes == 1 else f"{self.changes} changes"
        if self.check:
            came = f"{count} would be made" if self.changes else "no change is foreseen"
        else:
            came = count if self.changes else "nothing changed"
        return f"{verb}: {came}, {time.monotonic() - self._started:.1f} s"


def is_change(event: Event) -> bool:
    """Return whether ``event`` tells of a change; of a `no_log` task nothing but Ansible's own line does."""
    if event["event"] != "runner_on_ok":
        return False
    result = event["event_data"]["res"]
    return bool(result.get("changed")) or ("censored" in result and "changed: [" in event.get("stdout", ""))


def step_name(data: Event) -> str:
    """Return the task's name without its role's."""
    return str(data.get("task", "")).rpartition(" : ")[2]


def say(message: object, advised: Advised) -> None:
    """Print what a playbook has to say, a value or a list of them, each as ``advised`` words it; JSON stays JSON."""
    for line in message if isinstance(message, list) else [message]:
        click.echo(_worded(str(line), advised))


def _worded(text: str, advised: Advised) -> str:
    try:
        json.loads(text)
    except ValueError:
        return advised(text)
    return re.sub(JSON_STRING, lambda found: _worded_string(found[0], advised), text)


def _worded_string(string: str, advised: Advised) -> str:
    text = json.loads(string)
    worded = advised(text)
    return string if worded == text else json.dumps(worded)
