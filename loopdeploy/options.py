"""The options that every verb has, before its name or behind it."""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any
from typing import TypeVar

import click
from click.core import ParameterSource

from loopdeploy.target import Target

SERVICES = ("loop-auth", "loop-api")

F = TypeVar("F", bound=Callable[..., Any])

pass_target = click.make_pass_decorator(Target, ensure=True)


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    name = str(parameter.name)
    # The environment counts once, at the top: else it would win over an option before the verb.
    given = {ParameterSource.COMMANDLINE, None if context.parent else ParameterSource.ENVIRONMENT}
    if context.get_parameter_source(name) in given:
        setattr(context.ensure_object(Target), name, value)


def _option(*names: str, **attributes: Any) -> Callable[[F], F]:
    return click.option(*names, expose_value=False, callback=_remember, **attributes)


INVENTORY_OPTION = _option(
    "-i",
    "--inventory",
    metavar="NAME|PATH",
    envvar="LOOPDEPLOY_INVENTORY",
    help="inventory/NAME in this directory, a path, or `lab` for the practice NAS.  [default: production]",
)
VAULT_PASSWORD_OPTION = _option(
    "--vault-password-file",
    metavar="FILE",
    envvar="ANSIBLE_VAULT_PASSWORD_FILE",
    help="File or program that gives the vault password, instead of the keyring and a prompt.",
)
TARGET_OPTIONS = (
    INVENTORY_OPTION,
    _option("--limit", metavar="HOST", help="Only this host of the inventory."),
    _option("--check", is_flag=True, help="Change nothing, and show what would change."),
    _option("--diff", is_flag=True, help="Show differences of files; a container's are left out, they hold secrets."),
    _option("-v", "--verbose", count=True, help="Show Ansible's own output; more with -vv, -vvv."),
    VAULT_PASSWORD_OPTION,
)


def target_options(function: F) -> F:
    """Give ``function`` the options of Target; what is given behind the verb wins."""
    for option in reversed(TARGET_OPTIONS):
        function = option(function)
    return function


def local_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give ``function``, which works on this machine alone, its target and the options that it understands."""

    def checked(target: Target, /, *args: Any, **kwargs: Any) -> Any:
        if target.check:
            raise click.UsageError("This command works on this machine alone and knows no --check.")
        return function(target, *args, **kwargs)

    return INVENTORY_OPTION(VAULT_PASSWORD_OPTION(pass_target(update_wrapper(checked, function))))
