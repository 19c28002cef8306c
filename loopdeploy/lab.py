"""The commands ``loopdeploy lab …``: a practice NAS in a container of this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from loopdeploy.content import LAB_INVENTORY
from loopdeploy.errors import SetupError
from loopdeploy.options import pass_target
from loopdeploy.options import target_options
from loopdeploy.questions import on_terminal
from loopdeploy.runner import run_playbook
from loopdeploy.target import Target

# Public, as the practice NAS is on loopback alone.
LAB_USER = "loopadmin"
LAB_PASSWORD = "practice-ssh-and-sudo"


@click.group()
def lab() -> None:
    """Practise on a NAS that is a container of this machine."""


def _run(playbook: str, target: Target) -> None:
    target.inventory = str(LAB_INVENTORY)
    run_playbook(playbook, target)


@lab.command()
@target_options
@pass_target
def up(target: Target) -> None:
    """Bring the practice NAS up; it keeps its ports and what is on it."""
    _run("lab-up", target)


@lab.command()
@target_options
@pass_target
def down(target: Target) -> None:
    """Remove the practice NAS with everything on it."""
    _run("lab-down", target)


@lab.command()
@target_options
@pass_target
def reset(target: Target) -> None:
    """Remove the practice NAS and bring a fresh one up."""
    _run("lab-reset", target)


@lab.command()
@target_options
@pass_target
def demo(target: Target) -> None:
    """Bring the practice NAS up, deploy both services, and show them."""
    _run("lab-demo", target)


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(command: tuple[str, ...]) -> None:
    """Log in to the practice NAS, or run COMMAND there.

    Says the password that ssh and sudo ask for.
    """
    state = lab_directory()
    if not (state / "ports.json").exists():
        raise SetupError("The practice NAS is not up: bring it up with `loopdeploy lab up`.")
    if not has_terminal():
        raise SetupError("ssh asks for the practice NAS's password and there is no terminal to ask on: run it on one.")
    port = json.loads((state / "ports.json").read_text())["ssh"]
    known_hosts = f"UserKnownHostsFile={state / 'known_hosts'}"
    click.echo(f"The password, for sudo too: {LAB_PASSWORD}", err=True)
    os.execvp("ssh", ["ssh", "-p", str(port), "-o", known_hosts, f"{LAB_USER}@127.0.0.1", *command])


def has_terminal() -> bool:
    """Return whether there is somebody whom ssh can ask for a password."""
    return on_terminal()


def lab_directory() -> Path:
    """Return where `lab up` writes down its ports and its host key, as inventory/lab says too."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state, "loopdeploy", "lab")
