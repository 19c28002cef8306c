"""The NAS's SSH host key: fetched, shown as a fingerprint, and pinned in the inventory."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import subprocess
from dataclasses import dataclass

from loopdeploy.errors import SetupError
from loopdeploy.errors import UnreachableError

# The one that is shown and pinned first. Only one is: ssh then asks the NAS for that kind alone.
KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
FILES = {"ssh-ed25519": "ssh_host_ed25519_key.pub", "ssh-rsa": "ssh_host_rsa_key.pub"}
# Seconds that the NAS gets to answer.
TIMEOUT = 10


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


def fetch_host_keys(address: str, port: int) -> list[HostKey]:
    """Return the host keys that ``address`` shows, the best kind first.

    Raises UnreachableError when it shows none, SetupError when this machine has no ssh-keyscan.
    """
    command = ["ssh-keyscan", "-T", str(TIMEOUT), "-p", str(port), "-t", "ed25519,ecdsa,rsa", "--", address]
    try:
        scan = subprocess.run(command, capture_output=True, text=True, timeout=4 * TIMEOUT, stdin=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise SetupError("There is no ssh-keyscan on this machine: install OpenSSH's client.") from error
    except subprocess.TimeoutExpired as error:
        raise UnreachableError(_silent(address, port)) from error
    lines = [line.split() for line in scan.stdout.splitlines() if not line.startswith("#")]
    keys = [HostKey(*fields) for fields in lines if len(fields) == 3 and fields[1] in KINDS and _is_blob(fields[2])]
    if not keys:
        if re.search(r"getaddrinfo|not known|resolve", scan.stderr):
            raise UnreachableError(f"The host name {address} is unknown: correct the address of the NAS.")
        raise UnreachableError(_silent(address, port))
    return sorted(keys, key=lambda key: KINDS.index(key.kind))


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


def _silent(address: str, port: int) -> str:
    return (
        f"No SSH server answers at {address}, port {port}: check both, and enable SSH in DSM's Control Panel, Terminal"
        " & SNMP."
    )


def _is_blob(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except binascii.Error:
        return False
