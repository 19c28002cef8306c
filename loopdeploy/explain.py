"""Turns what Ansible reports into one sentence: what happened, where, and what to do next."""

from __future__ import annotations

import re
from typing import Any

from loopdeploy.errors import LoopdeployError
from loopdeploy.errors import SetupError
from loopdeploy.errors import UnhealthyError
from loopdeploy.errors import UnreachableError

# The task whose failure is the answer to a question, not a fault.
HEALTH_TASK = "Require healthy services"

# What Ansible, ssh and sudo say, and what it means. The first match counts.
MEANINGS: list[tuple[str, type[LoopdeployError], str]] = [
    (
        r"Unable to access the file '\S*lab/ports\.json'",
        SetupError,
        "the practice NAS is not up: bring it up with `loopdeploy lab up`.",
    ),
    (
        r"Incorrect sudo password|Missing sudo password|no password was provided|incorrect password attempt",
        UnreachableError,
        "sudo refused the password: correct vault_sudo_password in the vault.",
    ),
    (
        r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|Host Key checking is enabled",
        UnreachableError,
        "the host key is not the pinned one: compare its fingerprint on the NAS, then pin it in known_hosts.",
    ),
    (
        r"Permission denied|Invalid/incorrect password|Too many authentication failures",
        UnreachableError,
        "the login was refused: correct ansible_user and vault_ssh_password; it was tried once, because DSM blocks"
        " an address after a few failures.",
    ),
    (
        r"Could not resolve hostname (\S+?):",
        UnreachableError,
        "the host name {0} is unknown: correct ansible_host in the inventory.",
    ),
    (
        r"Connection refused|No route to host|Network is unreachable|[Tt]imed out|Connection reset|closed by",
        UnreachableError,
        "the NAS does not answer: check ansible_host and ansible_port, that it is on, and that SSH is enabled in DSM's"
        " Control Panel, Terminal & SNMP.",
    ),
    (
        r"interpreter '?(\S+?)'? was not found|(\S*python\S*): (?:command )?not found",
        LoopdeployError,
        "there is no Python at {0}: install Python from DSM's Package Center, or set ansible_python_interpreter.",
    ),
    (
        r"Ansible requires Python ([\d.]+) or newer on the target",
        LoopdeployError,
        "the NAS's Python is older than {0}, which this Ansible needs: install ansible 12 beside loopdeploy, or a newer"
        " Python on the NAS and set ansible_python_interpreter.",
    ),
    (
        r"(/\S*): not found",
        LoopdeployError,
        "there is no Docker command at {0}: install Container Manager, or set loop_docker in the inventory.",
    ),
    (
        r"Cannot connect to the Docker daemon at (\S+?)\.? Is",
        LoopdeployError,
        "the Docker engine does not answer at {0}: start Container Manager in DSM's Package Center.",
    ),
    (
        r"no hosts to target|no hosts matched|Could not match supplied host pattern",
        SetupError,
        "no host to work on: the inventory needs one in its group loop, and --limit must name it.",
    ),
    (
        r"no vault secrets were found|Decryption failed|HMAC verification failed|no vault secret",
        SetupError,
        "the vault password does not open the vault: give the right one.",
    ),
    (
        r"[Vv]ault (?:format|vaulttext|envelope|data)|unhexlify|Odd-length|Non-hexadecimal|Invalid vault",
        SetupError,
        "the vault is damaged and cannot be decrypted: restore vault.yml from a backup.",
    ),
]


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
            self._last = event["event_data"]
        elif kind == "playbook_on_no_hosts_matched":
            self.no_hosts = True
        elif kind in ("verbose", "error", "warning"):
            self._output.append(event.get("stdout", ""))

    def error(self, verb: str) -> LoopdeployError:
        """Return the error that ended ``verb``; without a failed task it is in Ansible's own output."""
        if not self._last:
            return _meaning("", "no hosts matched" if self.no_hosts else _errors(self._output)) or LoopdeployError(
                f"{verb}: {_errors(self._output)}"
            )
        where, text = f"{self._last['host']}: ", _text(self._last["res"])
        if self._last["task"].endswith(HEALTH_TASK):
            table, sentence = self._last["res"]["msg"]
            return UnhealthyError(f"{where}{sentence}\n{table}")
        if self._last["task_action"] == "ansible.builtin.fail":
            return LoopdeployError(where + text)
        step = self._last["task"].rpartition(" : ")[2]
        return _meaning(where, text) or LoopdeployError(f"{where}{step}: {text}")


def _meaning(where: str, text: str) -> LoopdeployError | None:
    """Return the error that ``text`` means, None when it is not a known one."""
    for pattern, kind, meaning in MEANINGS:
        if match := re.search(pattern, text):
            return kind(where + meaning.format(*filter(None, match.groups())))
    return None


def _text(result: dict[str, Any]) -> str:
    """Return what a task's result says, with the error output of a command behind it."""
    if items := [item for item in result.get("results", []) if item.get("failed")]:
        return _text(items[-1])
    parts = [result.get(part) for part in ("msg", "module_stderr", "module_stdout", "stderr")]
    if result.get("rc"):
        parts.append(result.get("stdout"))
    text = " ".join(str(part).strip() for part in parts if part)
    return re.sub(r"^((Task|Module|Action) failed: )+", "", re.sub(r"\s+", " ", text))


def _errors(output: list[str]) -> str:
    """Return Ansible's own error texts in ``output``, without colours and source excerpts."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output))
    return " ".join(re.findall(r"\[?ERROR\]?!?:? *(.+)", text)) or text.strip()
