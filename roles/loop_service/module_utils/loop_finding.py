"""One line of the doctor's table: what was looked at, how it is, and what to do."""

from __future__ import annotations

from typing import Dict
from typing import Tuple

OK = "ok"
WARNING = "warning"
FAILED = "failed"
UNASKED = "not asked"

# A state, and the sentence to it.
Verdict = Tuple[str, str]
Finding = Dict[str, str]


def ok(text: str) -> Verdict:
    """Say that something is as it must be."""
    return OK, text


def warning(text: str) -> Verdict:
    """Say what works and should be changed."""
    return WARNING, text


def failed(text: str) -> Verdict:
    """Say what does not work, and what to do."""
    return FAILED, text


def unasked(text: str) -> Verdict:
    """Say why something was not looked at."""
    return UNASKED, text


def finding(subject: str, verdict: Verdict) -> Finding:
    """Return a line of the table."""
    state, text = verdict
    # Python has surrogates for the bytes of a path that are no text; they cannot be printed.
    return {"subject": subject, "state": state, "text": text.encode(errors="replace").decode()}


def table(lines: list[Finding]) -> list[str]:
    """Return the lines as an operator reads them."""
    width = max(len(line["subject"]) for line in lines)
    return [f"{line['state']:9}  {line['subject']:{width}}  {line['text']}" for line in lines]
