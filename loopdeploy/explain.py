"""Turns what Ansible reports into one sentence: what happened, where, and what to do next."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any

from loopdeploy.errors import LoopdeployError
from loopdeploy.errors import RolledBackError
from loopdeploy.errors import UnhealthyError
from loopdeploy.errors import UnreachableError
from loopdeploy.meanings import LOGIN_MEANINGS
from loopdeploy.meanings import MEANINGS
from loopdeploy.meanings import Meanings
from loopdeploy.progress import step_name

# The task whose failure is the answer to a question, not a fault.
HEALTH_TASK = "Require healthy services"
# The tasks whose failures are an answer, too: that there was nobody to ask, and what is not as it must be.
REACHED_TASK = "Require that the NAS was reached"
SOUND_TASK = "Require that nothing failed"
# The task that repeats a failure for those who use Ansible without this command.
REPORT_TASK = "Report the failure"
# The task that writes a failure down, too; when it fails, what failed before it is still what to tell.
END_TASK = "End "
# Ansible puts it before a role's tasks, and all that the role is for into its name.
VALIDATION = "ansible.builtin.validate_argument_spec"
# What our own modules put before the last words of a container.
LOG = "its last log lines:"


class Failures:
    """Collects the failures of one run, and words the one that ended it."""

    def __init__(self) -> None:
        self.no_hosts = False
        self._last: dict[str, Any] = {}
        self._output: list[str] = []

    def __call__(self, event: dict[str, Any]) -> None:
        """Keep ``event`` when it is a failure; a later one supersedes it, because a rescued failure comes first."""
        kind = event["event"]
        if kind in ("runner_on_failed", "runner_on_unreachable"):
            step = step_name(event["event_data"])
            if step != REPORT_TASK and not (self._last and step.startswith(END_TASK)):
                self._last = event["event_data"]
        elif kind == "playbook_on_no_hosts_matched":
            self.no_hosts = True
        elif kind in ("verbose", "error", "warning"):
            self._output.append(event.get("stdout", ""))

    def error(self, verb: str) -> LoopdeployError:
        """Return the error that ended ``verb``; without a failed task it is in Ansible's own output."""
        if not self._last:
            text = "no hosts matched" if self.no_hosts else _errors("\n".join(self._output))
            return _meaning(MEANINGS, "", text) or LoopdeployError(f"{verb}: {text}")
        host, step = f"{self._last['host']}: ", step_name(self._last)
        if self._last["task_action"] == VALIDATION:
            step = step.partition(" - ")[0]
        where, result = f"{host}{step}: ", self._last["res"]
        text = _text(result)
        if step == HEALTH_TASK and isinstance(result.get("msg"), list):
            *table, sentence = result["msg"]
            return UnhealthyError("\n".join([host + sentence, *table]))
        if step == REACHED_TASK:
            return UnreachableError(host + text)
        if step == SOUND_TASK:
            return LoopdeployError(host + text)
        if result.get("rolled_back"):
            return RolledBackError(where + text)
        # Such a task words its failure itself; it may quote a container's log, whatever that says.
        if self._last["task_action"] == "ansible.builtin.fail" or "evaluated_to" in result:
            return LoopdeployError(where + text)
        if result.get("unreachable"):
            return _meaning(LOGIN_MEANINGS, where, text) or UnreachableError(where + text)
        # A container's log is quoted, not read.
        return _meaning(MEANINGS, where, text.partition(LOG)[0]) or LoopdeployError(where + text)


def _meaning(meanings: Meanings, where: str, text: str) -> LoopdeployError | None:
    """Return the error that ``text`` means, None when it is not a known one."""
    for pattern, kind, meaning in meanings:
        if match := re.search(pattern, text):
            return kind(where + meaning.format(*filter(None, match.groups()), core=version("ansible-core")))
    return None


def _text(result: dict[str, Any]) -> str:
    """Return what a task's result says, with the error output of a command behind it, and each failed item's."""
    parts = [result.get(key) for key in ("msg", "censored", "module_stderr", "module_stdout", "stderr")]
    if result.get("rc"):
        parts.append(result.get("stdout"))
    parts += [_text(item) for item in result.get("results", []) if item.get("failed")]
    text = " ".join(str(part).strip() for part in parts if part)
    text = re.sub(r"Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*", "", text)
    return re.sub(r"^((Task|Module|Action) failed: )+", "", re.sub(r"\s+", " ", text))


def _errors(output: str) -> str:
    """Return Ansible's own error texts in ``output``, without colours and source excerpts."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", output)
    return " ".join(re.findall(r"\[?ERROR\]?!?:? *(.+)", text)) or text.strip()
