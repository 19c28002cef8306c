"""The one place that starts Ansible."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from ansible_runner.interface import init_runner
from ptyprocess import PtyProcess

from loopdeploy.ansible_settings import own_environment
from loopdeploy.content import CONTENT
from loopdeploy.errors import InterruptedRunError
from loopdeploy.errors import LoopdeployError
from loopdeploy.explain import Failures
from loopdeploy.interruption import Interruption
from loopdeploy.progress import Progress
from loopdeploy.target import Target

# The playbook that comes behind an interrupted one.
RECOVER = "recover"
# These look and touch nothing.
READS = {"doctor", "history", "logs", "status"}
# These touch what runs only once they hold the lock; a rebuild builds before that.
LOCKED_FIRST = {"rebuild", "rebuild-all", "restart", "restore", "rollback", "start", "stop"}
VAULT_PROMPT = r"^Vault password:\s*?$"
# ansible-runner's own default; its settings file must name it again, see _private_data_dir().
SETTINGS = {"suppress_output_file": True, "pexpect_timeout": 1}
# Where pip puts commands, which need not be on the PATH.
BESIDE = [str(Path(program).parent) for program in (sys.executable, sys.argv[0])]
ANSIBLE_PLAYBOOK = [sys.executable, "-m", "loopdeploy.ansible"]
# pexpect sleeps this long after its child is gone, and ansible-runner has no option for it: 0.1 s of every run.
PtyProcess.delayafterclose = property(lambda process: 0.0, lambda process, seconds: None)


def run_playbook(name: str, target: Target, **variables: object) -> list[str]:
    """Run the playbook ``name`` on ``target`` with ``variables``; those left None are not given.

    Return what it finished or undid of an interrupted run, in sentences.
    Raises a LoopdeployError that says what failed, OSError when all but the output went well.
    No secret reaches a command line, an environment or a file.
    """
    inventory, vault = target.inventory_path(), target.vault_password()
    failures, interruption = Failures(), Interruption()
    unsaid: list[OSError] = []
    progress = Progress(verbose=target.verbose > 0, check=target.check, advised=target.advised)

    def handle(event: dict[str, Any]) -> bool:
        interruption.runs(event.get("pid"))
        failures(event)
        try:
            progress(event)
        except BrokenPipeError:  # who reads it has enough
            pass
        except OSError as error:  # ansible-runner would drop it
            unsaid.append(error)
        return False  # else the event, arguments and results and all, would be written to disk

    with _private_data_dir() as directory, interruption:
        with own_environment():
            runner = init_runner(
                private_data_dir=directory,
                playbook=str(CONTENT / "playbooks" / f"{name}.yml"),
                inventory=str(inventory),
                cmdline=" ".join(_options(target, ask_vault_password=vault.secret is not None)),
                extravars={key: value for key, value in variables.items() if value is not None},
                limit=target.limit,
                envvars={
                    # ssh asks the program `ansible` for the password.
                    "PATH": os.pathsep.join([*BESIDE, os.environ.get("PATH", os.defpath)]),
                    # ansible-runner would switch the check off.
                    "ANSIBLE_HOST_KEY_CHECKING": "True",
                    **({"ANSIBLE_VAULT_PASSWORD_FILE": str(vault.file)} if vault.file else {}),
                },
                passwords={VAULT_PROMPT: vault.secret} if vault.secret is not None else None,
                suppress_env_files=True,
                event_handler=handle,
                cancel_callback=interruption.must_kill,
                quiet=True,
            )
        runner.config.command[:1] = ANSIBLE_PLAYBOOK
        runner.run()
    if interruption.since is not None:
        came = target.advised(_recover(name, target, progress.began))
        raise InterruptedRunError(f"Interrupted: {name} did not finish; {came}")
    if runner.rc != 0 or failures.no_hosts:
        error = failures.error(name)
        raise type(error)(target.advised(error.message))
    if unsaid:
        raise unsaid[0]
    click.echo(progress.summary(name), err=True)
    return progress.healed


def _recover(name: str, target: Target, began: bool) -> str:
    """Finish or undo on the NAS what ``name`` left there, and return what to tell of it."""
    if target.check or name in READS:
        return "nothing was changed."
    if not began and name in LOCKED_FIRST:
        return "nothing that runs was touched."
    if not began or name == RECOVER:
        return "see `loopdeploy status` for what runs now."
    try:
        healed = run_playbook(RECOVER, target)
    except LoopdeployError as error:
        return f"what it left is finished or undone by the next run, because now it could not be: {error.message}"
    done = f"loopdeploy {' and '.join(healed)}" if healed else "nothing on the NAS was left half done"
    return f"{done}; see above for what runs now."


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
