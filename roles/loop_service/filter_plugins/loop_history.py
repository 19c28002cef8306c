"""The history of a NAS as an operator reads it."""

from __future__ import annotations

import json
from typing import Any

HEADER = f"{'WHEN (UTC)':20}  {'WHO':24}  {'VERB':11}  {'OUTCOME':11}  RELEASES"


def loop_history(lines: list[str], as_json: bool, count: int) -> list[str] | str:
    """Return the last ``count`` runs of a history, the newest last, as a table or as JSON.

    A line that a full disk, a power cut or a person damaged is left out; so is nothing that can be read.
    """
    runs: dict[str, dict[str, Any]] = {}
    for entry in filter(None, map(_parsed, lines)):
        run = str(entry.get("token"))
        if entry.get("event") == "start":
            runs[run] = _begun(entry)
        elif entry.get("event") == "end":
            known = runs.setdefault(run, _begun(entry))  # what failed before it held the lock
            # A run that lost its lock does not know any more what it replaced; whoever took it wrote that down.
            swaps = entry.get("swaps") or known.get("swaps", entry.get("swaps"))
            known.update(outcome=entry.get("outcome"), step=entry.get("step"), swaps=swaps, ended=entry.get("at"))
    shown = list(runs.values())[-count:]
    return json.dumps(shown) if as_json else [HEADER, *map(_row, shown)]


def _begun(entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": entry.get("at"),
        "who": f"{entry.get('user')}@{entry.get('host')}",
        "verb": entry.get("verb"),
        "outcome": "unfinished",
    }


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _row(run: dict[str, Any]) -> str:
    at = str(run["at"]).replace("T", " ").replace("Z", "")
    listed = run.get("swaps")
    swaps = ", ".join(_swap(swap) for swap in (listed if isinstance(listed, list) else []) if isinstance(swap, dict))
    what = swaps or (f"at: {run['step']}" if run.get("step") else "nothing was replaced")
    return f"{at:20}  {run['who']:24}  {str(run['verb']):11}  {str(run['outcome']):11}  {what}".rstrip()


def _swap(swap: dict[str, Any]) -> str:
    """Return what became of one service; of an interrupted run's swap, how it was healed."""
    what = f"backup {swap['backup']}" if "backup" in swap else f"{swap.get('before')} -> {swap.get('after')}"
    how = f"{swap['gap']} s away" if "gap" in swap else swap.get("outcome")
    return f"{swap.get('service')} {what} ({how})"


class FilterModule:
    """The filters of this file, as Ansible looks for them."""

    def filters(self) -> dict[str, object]:
        """Return each filter by its name."""
        return {"loop_history": loop_history}
