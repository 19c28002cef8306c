"""What signed-in users depend on: the authorization server that runs, and the keys it signs with."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any

from ansible.module_utils.loop_engine import Engine
from ansible.module_utils.loop_problem import Problem


def read_sessions(engine: Engine, name: str, url: str) -> dict[str, Any]:
    """Return id and start time of the container, and the ids of the keys it publishes (RFC 7517, 4.5)."""
    container = engine.container(name)
    if container is None or not container["State"]["Running"]:
        return {"id": "", "started": "", "keys": []}
    return {"id": container["Id"], "started": container["State"]["StartedAt"], "keys": read_keys(url)}


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
    """Return what signed-in users depend on, or raise a Problem that names what is not as it was."""
    before, deadline = params["before"], time.monotonic() + params["timeout"]
    while True:
        now = read_sessions(engine, params["container"], params["url"])
        changes = list(differences(before, now, params["touched"]))
        if not changes:
            return now
        if time.monotonic() > deadline:
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
    # A key that joined signs nobody out; one that is gone does.
    gone = sorted(set(before["keys"]) - set(now["keys"]))
    if gone:
        changes.append(f"the signing key {', '.join(gone)} is not published any more")
    return changes
