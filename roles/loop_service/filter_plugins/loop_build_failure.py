"""The filter that tells an operator why a build failed."""

from __future__ import annotations

import ast
import re

LINES = 5
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Docker's own lines between the output of the steps.
NOISE = re.compile(r"Step |--->|Removing intermediate container|$")


def loop_build_failure(message: str) -> str:
    """Return why a build failed: the failing step and its last lines of output.

    ``message`` is docker_image's own: ``Error building IMAGE - code: C, message: M, logs: [...]``.
    """
    reason, _, logs = message.partition(", logs: [")
    reason = re.sub(r"^.*?(Error building .*? message: |Module failed: )", "", reason).rstrip(".")
    lines = [COLOUR.sub("", line).strip() for line in _listed(f"[{logs}")] if logs else []
    if refused := re.search(r'Client Error for .*?\("(.*)"\)$', reason):
        reason = refused[1]
    if "no space left on device" in message.lower():
        reason = f"the NAS's disk is full ({reason})"
    elif "Can not read file in context" in message:
        # The module says so, too, when it cannot write its copy of the file.
        reason = f"the NAS's /tmp is full, or that file cannot be read ({reason})"
    steps = [line for line in lines if line.startswith("Step ")]
    where = f" at {steps[-1]!r}" if steps else ""
    output = " | ".join([line for line in lines if not NOISE.match(line)][-LINES:])
    tail = f"; its last output: {output}" if output else ""
    return f"it failed{where}: {reason}{tail}; what runs was not touched."


def _listed(text: str) -> list[str]:
    try:
        return list(ast.literal_eval(text))
    except (SyntaxError, ValueError):  # another module's text
        return [text]


class FilterModule:
    """The filters of this file, as Ansible looks for them."""

    def filters(self) -> dict[str, object]:
        """Return each filter by its name."""
        return {"loop_build_failure": loop_build_failure}
