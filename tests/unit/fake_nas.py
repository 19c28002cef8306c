"""What a NAS shows to `ssh-keyscan` and, behind a proxy, to `ssh`: real host keys, and no network."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from loopdeploy.host_key import fetch_host_keys

SCAN = """#!/bin/sh
for address; do :; done
echo "$@" >{directory}/asked
echo "# $address:22 SSH-2.0-OpenSSH_8.2"
[ "$address" = nas.lan ] || {{ echo "getaddrinfo $address: Name or service not known" >&2; exit 1; }}
cat {directory}/*.pub 2>/dev/null | while read -r kind blob comment; do echo "$address $kind $blob"; done
"""
# Not with the configuration of whoever runs the tests. What logs in to fetch a key writes it down, and is refused.
SSH = """#!/bin/sh
case $1 in -G) exec /usr/bin/ssh -F {directory}/ssh_config "$@";; esac
echo "$@" >{directory}/asked
[ ! -e {directory}/refusal ] || {{ cat {directory}/refusal >&2; exit 255; }}
for argument; do
    case $argument in UserKnownHostsFile=*) file=${{argument#*=}}; break;; esac
done
cat {directory}/*_ed25519_key.pub | while read -r kind blob comment; do echo "name $kind $blob" >"$file"; done
echo "ann@nas: Permission denied (publickey,password)." >&2
exit 255
"""


class FakeNas:
    """A NAS called nas.lan with the host keys that it was given."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        (directory / "bin").mkdir(parents=True)
        self.scan = directory / "bin" / "ssh-keyscan"
        self.scan.write_text(SCAN.format(directory=directory))
        self.scan.chmod(0o755)
        self.ssh = directory / "bin" / "ssh"
        self.ssh.write_text(SSH.format(directory=directory))
        self.ssh.chmod(0o755)
        self.configure("")
        monkeypatch.setenv("PATH", f"{directory / 'bin'}:/usr/bin:/bin")

    def configure(self, text: str) -> None:
        """Let ssh have the configuration ``text``, and no other."""
        (self.directory / "ssh_config").write_text(text)

    def new_key(self, kind: str) -> str:
        """Make a host key of ``kind`` in place of the one that there was; return its fingerprint."""
        file = self.directory / f"ssh_host_{kind}_key"
        file.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", file], check=True)
        shown = subprocess.run(["ssh-keygen", "-lf", f"{file}.pub"], check=True, capture_output=True, text=True)
        return shown.stdout.split()[1]

    def pinned(self, kind: str) -> str:
        """Return the line of known_hosts that pins the key of ``kind``."""
        [key] = [key for key in fetch_host_keys("nas.lan", 22) if kind in key.kind]
        return key.line
