"""The command ``loopdeploy``: one function per verb, each one call."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import click

from loopdeploy.errors import InterruptedRunError
from loopdeploy.errors import LoopdeployError
from loopdeploy.lab import lab
from loopdeploy.options import SERVICES
from loopdeploy.options import pass_target
from loopdeploy.options import target_options
from loopdeploy.runner import run_playbook
from loopdeploy.target import Target
from loopdeploy.writing import trouble

service_argument = click.argument("service", type=click.Choice(SERVICES), required=False)
force_option = click.option("--force", is_flag=True, help="Replace the container even when nothing changed.")
file_type = click.Path(exists=True, dir_okay=False, resolve_path=True)
all_option = click.option("--all", "both", is_flag=True, help="Both services.")


class Commands(click.Group):
    """Also knows the commands of this machine alone, and imports them when they are called: each verb would pay."""

    local = ("init", "vault")

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return every name."""
        return sorted([*super().list_commands(ctx), *self.local])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, None when there is none of that name."""
        if cmd_name in self.local:
            command: click.Command = getattr(import_module(f"loopdeploy.{cmd_name}"), cmd_name)
            return command
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; Ctrl-C ends it with its exit code also where no playbook runs that sees to it itself.

        A file or an output that the system refuses is a sentence, too; and what an error advises names the inventory.
        """
        # Made here, so that an option behind the verb is known here, too.
        target = ctx.ensure_object(Target)
        try:
            return super().invoke(ctx)
        except LoopdeployError as error:
            raise type(error)(target.advised(error.message)) from error
        except KeyboardInterrupt as interrupt:
            raise InterruptedRunError("Interrupted before it was done: call it again.") from interrupt
        except BrokenPipeError:  # who reads the output has enough; click sees to it
            raise
        except OSError as error:
            told = trouble(error)
            if told is None:
                raise
            raise told from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="loopdeploy")
@target_options
def main() -> None:
    """Deploy loop-auth and loop-api on a Synology NAS.

    Begin with `loopdeploy lab demo`; on your own NAS with `loopdeploy init`.
    """


main.add_command(lab)


def verb(function: Callable[..., None]) -> click.Command:
    """Make ``function`` a command of loopdeploy that knows its target."""
    return main.command()(target_options(pass_target(function)))


def chosen(service: str | None, both: bool = False) -> list[str] | None:
    """Return the services that the operator named; None leaves the choice to the playbook."""
    if service and both:
        raise click.UsageError("Give a service or --all, not both.")
    return list(SERVICES) if both else [service] if service else None


def pattern(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return a regular expression as it was given; one that is none is a usage error."""
    try:
        re.compile(value or "")
    except re.error as error:
        raise click.BadParameter(f"{value!r} is no regular expression: {error}.") from error
    return value


@verb
def status(target: Target) -> None:
    """Show the containers of both services.

    Exit 4 unless both are healthy; without a health check, one that runs counts as healthy.
    """
    run_playbook("status", target)


@verb
@service_argument
@force_option
def rebuild(target: Target, service: str | None, force: bool) -> None:
    """Build loop-api, or SERVICE, and replace it if it changed."""
    run_playbook("rebuild", target, loop_services=chosen(service), loop_service_force=force or None)


@verb
@force_option
def rebuild_all(target: Target, force: bool) -> None:
    """Build and replace both services, loop-auth first."""
    run_playbook("rebuild-all", target, loop_service_force=force or None)


@verb
@service_argument
@click.option("--to", "release", metavar="RELEASE", help="That release, as `history` names it, instead.")
def rollback(target: Target, service: str | None, release: str | None) -> None:
    """Bring back what loop-api, or SERVICE, was before.

    That is the container of before its last replacement.
    """
    run_playbook("rollback", target, loop_services=chosen(service), loop_service_release=release)


@verb
@service_argument
@all_option
def restart(target: Target, service: str | None, both: bool) -> None:
    """Restart loop-api, or SERVICE, and wait until it is healthy."""
    run_playbook("restart", target, loop_services=chosen(service, both))


@verb
@service_argument
@all_option
def stop(target: Target, service: str | None, both: bool) -> None:
    """Stop loop-api, or SERVICE; it stays stopped over a reboot."""
    run_playbook("stop", target, loop_services=chosen(service, both))


@verb
@service_argument
def start(target: Target, service: str | None) -> None:
    """Start both services, or SERVICE, and wait for their health."""
    run_playbook("start", target, loop_services=chosen(service))


@verb
@click.option("--auth", "backup", required=True, metavar="BACKUP", help="Name of a backup, or `latest`.")
def restore(target: Target, backup: str) -> None:
    """Bring back loop-auth's database and keys from BACKUP."""
    run_playbook("restore", target, loop_service_restore=backup)


@verb
def bootstrap(target: Target) -> None:
    """Let an SSH key log in instead of the password.

    Also puts on the NAS what the other verbs need there.
    """
    run_playbook("bootstrap", target)


@verb
def recover(target: Target) -> None:
    """Finish or undo what an interrupted run left.

    The next verb would do so, too; this one then shows what runs.
    """
    run_playbook("recover", target)


@verb
def unlock(target: Target) -> None:
    """Remove the lock of a run that was killed on another machine."""
    run_playbook("unlock", target)


@verb
@click.option("-n", "--lines", type=click.IntRange(min=1), help="So many of the last runs.  [default: 20]")
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
def history(target: Target, lines: int | None, as_json: bool) -> None:
    """Show which verb ran when, by whom, and what came of it."""
    run_playbook("history", target, loop_service_history_lines=lines, loop_service_history_json=as_json or None)


@verb
@click.option("--json", "as_json", is_flag=True, help="As JSON, for programs.")
@click.option("--scan", type=file_type, multiple=True, metavar="FILE...", help="Look for passwords in these files.")
@click.argument("files", type=file_type, nargs=-1, metavar="")
def doctor(target: Target, as_json: bool, scan: tuple[str, ...], files: tuple[str, ...]) -> None:
    """Show what is as it must be, what is not, and what to do.

    Changes nothing. Looks at the way to the NAS, at the NAS, and at what its reverse proxy makes public; with --scan
    also for passwords in shell histories and notes on this machine.
    """
    run_playbook(
        "doctor",
        target,
        loop_service_doctor_json=as_json or None,
        loop_service_doctor_scan=[*scan, *files] or None,
    )


@verb
@service_argument
@click.option("-n", "--lines", type=click.IntRange(min=1), help="So many of the last lines.  [default: 50]")
@click.option("--since", metavar="TIME", help="Only lines since TIME: 10m, 2h, or a timestamp in the NAS's time zone.")
@click.option("--grep", metavar="REGEX", callback=pattern, help="Only lines that match REGEX.")
def logs(target: Target, service: str | None, lines: int | None, since: str | None, grep: str | None) -> None:
    """Show the last log lines of both services, or of SERVICE."""
    run_playbook(
        "logs",
        target,
        loop_services=chosen(service),
        loop_service_log_lines=lines,
        loop_service_log_since=since,
        loop_service_log_grep=grep,
    )
