"""What became of a container that failed, in the order in which an operator reads it."""

from __future__ import annotations

import math
import time
from typing import Any


def loop_last_words(lines: list[str], service: str, before: dict[str, Any], since: float) -> str:
    """Return the last log lines, how the container ended, which release runs now, and for how long it was away.

    ``lines`` are the container as `__loop_service_life` has it, and its log; ``before`` is what preflight read, and
    ``since`` when, in seconds. The modules that replace a container tell the same, see loop_health.py.
    """
    seconds = math.ceil((time.time() - float(since)) * 10) / 10
    away = f"{service} {f'was away for at most {seconds} s' if before['running'] else 'did not run before'}"
    found, *log = [line for line in lines if line.strip()] or [""]
    if not found.startswith("container "):
        return f"it left nothing; nothing runs; {away}"
    _, container, running, code, oom, image, *release = found.split()
    runs = running == "true"
    ending = "still running" if runs else f"exit code {code}"
    memory = "it ran out of memory" if oom == "true" else "not out of memory"
    # A container that was made by hand has no release.
    name = release[0] if release else image.partition(":")[2][:12]
    same = "the same container as before" if container == before["id"] else "another container than before"
    return (
        f"its last log lines: {' | '.join(log) or 'none'}; {ending}, {memory};"
        f" release {name} {'runs' if runs else 'does not run'}, {same}; {away}"
    )


class FilterModule:
    """The filters of this file, as Ansible looks for them."""

    def filters(self) -> dict[str, object]:
        """Return each filter by its name."""
        return {"loop_last_words": loop_last_words}
