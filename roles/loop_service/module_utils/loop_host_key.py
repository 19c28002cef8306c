"""The host key of the NAS: the one that it shows, and the one that is pinned."""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
from typing import Dict
from typing import Set

from ansible.module_utils.loop_finding import Verdict
from ansible.module_utils.loop_finding import failed
from ansible.module_utils.loop_finding import ok
from ansible.module_utils.loop_finding import unasked
from ansible.module_utils.loop_finding import warning

# Seconds that the NAS may take to show its keys.
PATIENCE = 5

# The file of the inventory's own, which `loopdeploy init --pin` writes anew: ssh-keygen would leave a copy beside it.
OWN_FILE = "known_hosts.txt"

# Of each type, the keys.
Keys = Dict[str, Set[str]]


def host_key(route: dict[str, str], logged_in: bool) -> Verdict:
    """Return whether the NAS at the end of ``route``, as `ssh -G` tells it, shows a key that is pinned."""
    shown = _keys(["ssh-keyscan", "-T", str(PATIENCE), "-p", route["port"], route["hostname"]])
    name = pinned_name(route)
    files = [file for key in ("userknownhostsfile", "globalknownhostsfile") for file in _files(route.get(key, ""))]
    pinned = _merged([_keys(["ssh-keygen", "-F", name, "-f", os.path.expanduser(file)]) for file in files])
    same = sorted(kind for kind in shown if shown[kind] & pinned.get(kind, set()))
    if same:
        return ok(f"{_told(shown, same)}, as pinned")
    if not shown:
        return unasked("it shows no host key to ssh-keyscan")
    seen = _told(shown, sorted(shown)[:1])
    if pinned:
        own = os.path.basename(files[0]) == OWN_FILE
        forget = "" if own else f"forget the old one with `ssh-keygen -R {name} -f '{files[0]}'` and "
        return failed(
            f"it shows {seen} and {_told(pinned, sorted(pinned)[:1])} is pinned: compare with the NAS's own, and only"
            f" when that has changed too, {forget}pin it anew with `loopdeploy init --pin`"
        )
    if logged_in:
        return warning(
            f"{name} is not in {files[0] if files else 'known_hosts'}, yet ssh trusts it: let it check the key"
        )
    return failed(
        f"it shows {seen} and none is pinned: compare with the NAS's own, then pin it with `loopdeploy init --pin`"
    )


def _files(value: str) -> list[str]:
    """Return the files that `ssh -G` names; it leaves out the quotes around a path with blanks."""
    whole = os.path.expanduser(value)
    return [whole] if os.path.exists(whole) else value.split()


def pinned_name(route: dict[str, str]) -> str:
    """Return under which name ssh looks for the key, see HostKeyAlias in ssh_config(5)."""
    if "hostkeyalias" in route:
        return route["hostkeyalias"]
    return route["hostname"] if route["port"] == "22" else f"[{route['hostname']}]:{route['port']}"


def fingerprint(key: str) -> str:
    """Return the fingerprint of a key in base64, as ssh shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(key)).digest()).decode().rstrip("=")


def output(command: list[str]) -> str:
    """Return what a command of ssh writes, in which a path may be in any encoding; nothing when it fails to."""
    try:
        result = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            # A path is opened by the same bytes.
            errors="surrogateescape",
            timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout


def _keys(command: list[str]) -> Keys:
    # What begins with @ is a certificate authority or a revoked key.
    rows: list[list[str]] = [line.split() for line in output(command).splitlines() if line and line[0] not in "#@"]
    return _merged([{row[1]: {row[2]}} for row in rows if len(row) > 2])


def _merged(parts: list[Keys]) -> Keys:
    merged: Keys = {}
    for part in parts:
        for kind, keys in part.items():
            merged.setdefault(kind, set()).update(keys)
    return merged


def _told(keys: Keys, kinds: list[str]) -> str:
    return " and ".join(f"{kind} {fingerprint(key)}" for kind in kinds for key in sorted(keys[kind]))
