"""The NAS's SSH host key: fetched, shown as a fingerprint, and pinned in the inventory."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loopdeploy.errors import SetupError
from loopdeploy.errors import UnreachableError
from loopdeploy.ssh_route import Route
from loopdeploy.ssh_route import last_line
from loopdeploy.ssh_route import route
from loopdeploy.ssh_route import run_client

# The one that is shown and pinned first. Only one is: ssh then asks the NAS for that kind alone.
KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
FILES = {"ssh-ed25519": "ssh_host_ed25519_key.pub", "ssh-rsa": "ssh_host_rsa_key.pub"}
# Seconds that the NAS gets to answer.
TIMEOUT = 10
# With these ssh takes any key, writes it down in clear, and is refused, because it offers nothing to log in with.
FETCH = (
    *("BatchMode=yes", "PreferredAuthentications=none", "StrictHostKeyChecking=accept-new", "HashKnownHosts=no"),
    *("GlobalKnownHostsFile=/dev/null", "KnownHostsCommand=none", "VerifyHostKeyDNS=no", "UpdateHostKeys=no"),
    *("ControlMaster=no", "ControlPath=none", "ClearAllForwardings=yes", "LogLevel=ERROR"),
)
# What ssh says once its proxy has ended, behind what that said.
PROXY_GONE = re.compile(r"^(kex_exchange_identification|Connection closed).*\n?", re.MULTILINE)


@dataclass(frozen=True)
class HostKey:
    """One host key, as a line of known_hosts has it."""

    host: str
    kind: str
    blob: str

    @property
    def line(self) -> str:
        """Return the line that pins it."""
        return f"{self.host} {self.kind} {self.blob}\n"

    @property
    def fingerprint(self) -> str:
        """Return what `ssh-keygen -lf` shows of it."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    @property
    def command(self) -> str:
        """Return the command that shows the fingerprint on the NAS itself."""
        return f"ssh-keygen -lf /etc/ssh/{FILES.get(self.kind, 'ssh_host_ecdsa_key.pub')}"


def fetch_host_keys(address: str, port: int | None, arguments: Sequence[str] = ()) -> list[HostKey]:
    """Return the host keys that ``address`` shows, the best kind first, each by the name under which ssh looks for it.

    The ``arguments`` of ssh count before its configuration, which names the port where there is none.
    Raises UnreachableError when it shows none, SetupError when this machine has no OpenSSH client.
    """
    way = route(address, port, arguments)
    lines = _through_proxy(way) if way.proxy else _scanned(way)
    rows = [line.split() for line in lines]
    keys = [
        HostKey(way.pinned_name, *row[1:]) for row in rows if len(row) == 3 and row[1] in KINDS and _is_blob(row[2])
    ]
    if not keys:
        raise UnreachableError(_silent(way))
    return sorted(keys, key=lambda key: KINDS.index(key.kind))


def _scanned(way: Route) -> list[str]:
    """Return the lines of known_hosts that ssh-keyscan, which knows no configuration of ssh, makes of ``way``."""
    kinds = ["-t", "ed25519,ecdsa,rsa"]
    try:
        scan = run_client(["ssh-keyscan", "-T", str(TIMEOUT), "-p", str(way.port), *kinds, "--", way.hostname])
    except subprocess.TimeoutExpired as error:
        raise UnreachableError(_silent(way)) from error
    lines = [line for line in scan.stdout.splitlines() if not line.startswith("#")]
    if not lines and re.search(r"getaddrinfo|not known|resolve", scan.stderr):
        raise UnreachableError(f"The host name {way.hostname} is unknown: correct the address of the NAS.")
    return lines


def _through_proxy(way: Route) -> list[str]:
    """Return the line that ssh itself, for which there are proxies, writes of the key that it likes best.

    It does not log in. What is in between is checked and logged in to as ever: options are for the end of the way.
    """
    with tempfile.TemporaryDirectory(prefix="loopdeploy-") as directory:
        file = Path(directory, "known_hosts")
        options = [*FETCH, f"ConnectTimeout={TIMEOUT}", f"UserKnownHostsFile={file}"]
        arguments = [argument for option in options for argument in ("-o", option)]
        # Of an option that is given twice, ssh takes the first.
        command = ["ssh", "-N", *arguments, "-p", str(way.port), *way.arguments, "--", way.address]
        try:
            said = PROXY_GONE.sub("", run_client(command).stderr)
        except subprocess.TimeoutExpired:
            said = "it takes too long"
        if file.exists():
            return file.read_text(errors="replace").splitlines()
    besides = " and the ansible_ssh_common_args of the inventory" if way.arguments else ""
    raise UnreachableError(
        f"No host key of {way.address} comes through the proxy of ssh's configuration: {last_line(said)}; see with"
        f" `ssh {way.address}`{besides} that the way is open, and call it again."
    )


def with_fingerprint(keys: list[HostKey], fingerprint: str) -> HostKey:
    """Return the key that has ``fingerprint``.

    Raises SetupError when none of ``keys`` has.
    """
    for key in keys:
        if key.fingerprint == fingerprint:
            return key
    raise SetupError(
        f"The NAS's host key is {keys[0].fingerprint} and not {fingerprint}: compare it with what"
        f" `{keys[0].command}` shows on the NAS, before anything is sent there."
    )


def _silent(way: Route) -> str:
    return (
        f"No SSH server answers at {way.hostname}, port {way.port}: check both, and enable SSH in DSM's Control Panel,"
        " Terminal & SNMP."
    )


def _is_blob(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except binascii.Error:
        return False
