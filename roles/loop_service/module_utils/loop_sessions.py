"""What signed-in users depend on: the authorization server that runs, and the keys it signs with."""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import urllib.request
from typing import Any

from ansible.module_utils.loop_backup import key_files
from ansible.module_utils.loop_engine import Engine
from ansible.module_utils.loop_problem import Problem

# How loop-auth names the file of a key: since when it signs, and its id.
KEY_FILE = re.compile(r"(?:\d+\.)?(.+)\.(?:pem|pub)")
# An id that is made of the key itself, RFC 7638, and so is another one for another key.
THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")


def read_sessions(engine: Engine, params: dict[str, Any]) -> dict[str, Any]:
    """Return id and start time of the container, the ids of the keys it publishes (RFC 7517, 4.5), and its files'."""
    container = engine.container(params["container"])
    files = read_files(params["keys"])
    if container is None or not container["State"]["Running"]:
        return {"id": "", "started": "", "keys": [], "files": files}
    started = container["State"]["StartedAt"]
    return {"id": container["Id"], "started": started, "keys": read_keys(params["url"]), "files": files}


def read_files(directory: str) -> list[str]:
    """Return the sorted ids of the keys in ``directory``, none where there is none.

    An id that says nothing of its key gets a part of the file's hash.
    """
    found = set()
    try:
        for name in key_files(directory):
            if match := KEY_FILE.fullmatch(name):
                found.add(match[1] if THUMBPRINT.fullmatch(match[1]) else _hashed(directory, name, match[1]))
    except OSError:
        return []
    return sorted(found)


def _hashed(directory: str, name: str, key: str) -> str:
    with open(os.path.join(directory, name), "rb") as file:
        return f"{key} ({hashlib.sha256(file.read()).hexdigest()[:8]})"


def read_keys(url: str) -> list[str]:
    """Return the sorted ids of the published keys, none when nobody answers with keys.

    An answer that is no set of keys is none to a client either, so there is nothing to tell them apart for.
    """
    # Not through a proxy that the environment names: this is the NAS itself.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=3) as answer:
            return sorted(str(key["kid"]) for key in json.load(answer)["keys"])
    except (OSError, ValueError, KeyError, TypeError):
        return []


def require_same(engine: Engine, params: dict[str, Any]) -> dict[str, Any]:
    """Return what signed-in users depend on, or raise a Problem that names what is not as it was.

    Where the keys were ``meant`` to change, what they are is returned once they are published, whatever they are.
    """
    before, deadline = params["before"], time.monotonic() + params["timeout"]
    while True:
        now = read_sessions(engine, params)
        changes = differences(before, now, params["touched"])
        late = time.monotonic() > deadline
        if not changes or params["meant"] and (now["keys"] or late):
            return now
        if late:
            raise Problem(
                f"Signed-in users may have to sign in again: of {params['container']} {', '.join(changes)}; if that was"
                " not meant, bring its keys back with `loopdeploy restore --auth`."
            )
        time.sleep(0.2)


def differences(before: dict[str, Any], now: dict[str, Any], touched: bool) -> list[str]:
    """Return what changed, each as a part of a sentence; what did not run before has nobody signed in."""
    changes = []
    if before["id"] and not touched and now["id"] != before["id"]:
        changes.append("another container runs, or none")
    elif before["id"] and not touched and now["started"] != before["started"]:
        changes.append("the container was restarted")
    gone = lost(before, now)
    if gone:
        changes.append(
            f"the signing key {', '.join(gone)} is not {'published' if before['keys'] else 'there'} any more"
        )
    return changes


def lost(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return the keys that are gone: one that joined signs nobody out.

    Where none was published before, because the server was down, those of the files count; what is published by now
    must have them, too, where a file's name tells the id.
    """
    if before["keys"]:
        return sorted(set(before["keys"]) - set(now["keys"]))
    there = set(now["files"])
    if now["keys"]:
        there -= {key for key in there if THUMBPRINT.fullmatch(key)} - set(now["keys"])
    return sorted(set(before["files"]) - there)
