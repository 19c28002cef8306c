"""How ssh goes to an address, by the configuration of whoever calls it; an alias stands for another name and port."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from loopdeploy.errors import SetupError

# Seconds that a command of ssh gets.
PATIENCE = 40


@dataclass(frozen=True)
class Route:
    """The way to ``address``, and under which name ssh looks for the host key at its end."""

    address: str
    hostname: str
    port: int
    pinned_name: str
    # Whether another machine, or a program, is in between.
    proxy: bool
    # What ssh is called with besides, by an inventory.
    arguments: Sequence[str] = ()


def route(address: str, port: int | None = None, arguments: Sequence[str] = ()) -> Route:
    """Return the way to ``address``; a ``port`` and ``arguments`` that are given come before ssh's configuration.

    Raises SetupError when ssh is missing, does not understand its configuration or the address, or takes too long.
    """
    given = [] if port is None else ["-p", str(port)]
    try:
        shown = run_client(["ssh", "-G", *given, *arguments, "--", address])
    except subprocess.TimeoutExpired as error:
        raise SetupError(
            f"ssh does not say within {PATIENCE} s how it goes to {address!r}: see with `ssh -G {address}` what"
            " takes so long, such as a command behind `Match exec` in its configuration."
        ) from error
    options = dict(line.split(" ", 1) for line in shown.stdout.splitlines() if " " in line)
    if "hostname" not in options or "port" not in options:
        place = "the ansible_ssh_common_args, " if arguments else ""
        raise SetupError(
            f"ssh knows no way to {address!r}: {last_line(shown.stderr)}; correct the address, {place}or ssh's"
            " configuration."
        )
    hostname, found = options["hostname"], int(options["port"])
    proxies = {options.get("proxyjump", "none"), options.get("proxycommand", "none")}
    named = options.get("hostkeyalias") or (hostname if found == 22 else f"[{hostname}]:{found}")
    return Route(address, hostname, found, named, proxies != {"none"}, arguments)


def run_client(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command of OpenSSH's client, which is asked nothing on standard input, and return what it said.

    Raises SetupError when this machine has none, subprocess.TimeoutExpired when it takes too long.
    """
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            # A path in ssh's configuration, or what a proxy says, may be in any encoding.
            errors="replace",
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError as error:
        raise SetupError(f"There is no {command[0]} on this machine: install OpenSSH's client.") from error


def last_line(text: str) -> str:
    """Return the last line that a command said, without the full stop."""
    return (text.strip() or "it says nothing").splitlines()[-1].strip().rstrip(".")
