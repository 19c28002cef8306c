"""What the operator sees while a playbook runs: each step with its time, and what the playbook has to say."""

from __future__ import annotations

from typing import Any

import click

Event = dict[str, Any]

# Tasks of these modules steer the play on this side; on the NAS nothing happens.
SILENT = {"ansible.builtin.assert", "ansible.builtin.debug", "ansible.builtin.fail"}
MARKS = {"runner_on_ok": "ok", "runner_on_failed": "failed", "runner_on_unreachable": "unreachable"}


class Progress:
    """Prints the events of one run; with ``verbose`` Ansible's own output instead."""

    def __init__(self, verbose: bool) -> None:
        self.verbose = verbose
        self.live = click.get_text_stream("stdout").isatty() and not verbose

    def __call__(self, event: Event) -> None:
        """Print what ``event`` tells the operator."""
        kind, data = event["event"], event.get("event_data", {})
        if self.verbose:
            if event.get("stdout"):
                click.echo(event["stdout"])
        elif kind == "runner_on_start" and self.live and data["task_action"] not in SILENT:
            click.echo(f"\r\033[K  {step_name(data)} …", nl=False)
        elif kind in MARKS:
            self._finish_step(kind, data)
        elif kind == "runner_on_skipped" and self.live:
            click.echo("\r\033[K", nl=False)

    def _finish_step(self, kind: str, data: Event) -> None:
        if self.live:
            click.echo("\r\033[K", nl=False)
        if data["task_action"] == "ansible.builtin.debug" and kind == "runner_on_ok":
            say(data["res"].get("msg"))
        elif data["task_action"] not in SILENT:
            changed = kind == "runner_on_ok" and data["res"].get("changed")
            mark = "changed" if changed else MARKS[kind]
            click.echo(f"{mark:>11}  {data['duration']:5.1f} s  {step_name(data)}")


def step_name(data: Event) -> str:
    """Return the task's name without its role's."""
    return str(data["task"]).rpartition(" : ")[2]


def say(message: Any) -> None:
    """Print the message of a debug task: a text, or a line each of a list."""
    for line in message if isinstance(message, list) else [message]:
        click.echo(line)
