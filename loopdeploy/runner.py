"""The one place that starts Ansible."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ansible_runner

from loopdeploy.content import CONTENT
from loopdeploy.errors import InterruptedRunError
from loopdeploy.explain import Failures
from loopdeploy.progress import Progress
from loopdeploy.target import Target

VAULT_PROMPT = r"^Vault password:\s*?$"
# ansible-runner's own default; its settings file must name it again, see _private_data_dir().
SETTINGS = {"suppress_output_file": True, "pexpect_timeout": 1}
GRACE = 10.0


def run_playbook(name: str, target: Target, **variables: object) -> None:
    """Run the playbook ``name`` on ``target`` with ``variables``; those left None are not given.

    Raises a LoopdeployError that says what failed. No secret reaches a command line, an environment or a file.
    """
    inventory, vault = target.inventory_path(), target.vault_password()
    failures, progress = Failures(target), Progress(verbose=target.verbose > 0)

    def handle(event: dict[str, Any]) -> bool:
        failures(event)
        progress(event)
        return False  # else the event, arguments and results and all, would be written to disk

    with _private_data_dir() as directory, _signal_handlers_kept():
        runner = ansible_runner.run(
            private_data_dir=directory,
            playbook=str(CONTENT / "playbooks" / f"{name}.yml"),
            inventory=str(inventory),
            cmdline=" ".join(_options(target, ask_vault_password=vault.secret is not None)),
            extravars={key: value for key, value in variables.items() if value is not None},
            limit=target.limit,
            envvars={
                "ANSIBLE_CONFIG": str(CONTENT / "ansible.cfg"),
                # ansible-runner would switch the check off.
                "ANSIBLE_HOST_KEY_CHECKING": "True",
                **({"ANSIBLE_VAULT_PASSWORD_FILE": str(vault.file)} if vault.file else {}),
            },
            passwords={VAULT_PROMPT: vault.secret} if vault.secret is not None else None,
            suppress_env_files=True,
            event_handler=handle,
            quiet=True,
        )
    if runner.status == "canceled":
        raise InterruptedRunError(f"Interrupted: {name} did not finish; see `loopdeploy status` for what runs now.")
    if runner.rc != 0:
        raise failures.error(name)


def _options(target: Target, ask_vault_password: bool) -> Iterator[str]:
    if ask_vault_password:
        yield "--ask-vault-pass"
    if target.check:
        yield "--check"
    if target.diff:
        yield "--diff"
    if target.verbose > 1:
        yield "-" + "v" * (target.verbose - 1)


@contextmanager
def _private_data_dir() -> Iterator[str]:
    """Make a directory in memory for one run; ansible-runner cannot do without one.

    With suppress_env_files it throws its keyword `settings` away, so they are written here.
    """
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="loopdeploy-", dir=memory) as directory:
        settings = Path(directory, "env", "settings")
        settings.parent.mkdir()
        settings.write_text(json.dumps(SETTINGS))
        yield directory


@contextmanager
def _signal_handlers_kept() -> Iterator[None]:
    """Restore the handlers that ansible-runner replaces for good."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


class _GentleRunner(ansible_runner.Runner):  # type: ignore[misc]
    """ansible-runner kills the process group at once, but Ansible's workers have groups of their own."""

    @classmethod
    def handle_termination(cls, pid: int, pidfile: str | None = None, is_cancel: bool = True) -> None:
        """Let ansible-playbook end its workers, and kill only what is left after the grace period, in seconds."""
        deadline = time.monotonic() + GRACE
        try:
            os.kill(pid, signal.SIGTERM)
            while time.monotonic() < deadline:
                os.kill(pid, 0)
                time.sleep(0.1)
        except ProcessLookupError:
            return
        super().handle_termination(pid, pidfile=pidfile, is_cancel=is_cancel)
