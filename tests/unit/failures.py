"""Failures as ansible-runner tells them, and the error that they come to."""

from __future__ import annotations

from typing import Any

from loopdeploy.errors import LoopdeployError
from loopdeploy.explain import Failures

# How ansible-core 2.19 begins what ssh says, with and without a module to send.
SEND = 'Task failed: Data could not be sent to remote host "nas.lan". Make sure this host can be reached over ssh: '
CONNECT = "Task failed: Failed to connect to the host via ssh: "


def failed(
    result: dict[str, Any],
    task: str = "loop_service : Check the NAS",
    action: str = "ansible.builtin.command",
    **data: object,
) -> dict[str, Any]:
    """Return the event of a failed task."""
    kind = "runner_on_unreachable" if result.get("unreachable") else "runner_on_failed"
    return {"event": kind, "event_data": {"host": "nas", "task": task, "task_action": action, "res": result, **data}}


def printed(text: str) -> dict[str, Any]:
    """Return the event of something that Ansible says outside a task."""
    return {"event": "verbose", "stdout": f"\x1b[0;31m{text}\x1b[0m"}


def error_of(*events: dict[str, Any]) -> LoopdeployError:
    """Return the error of a run with ``events``."""
    failures = Failures()
    for event in events:
        failures(event)
    return failures.error("rebuild")
