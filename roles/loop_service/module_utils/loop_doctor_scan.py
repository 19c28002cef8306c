"""The passwords that stand in an operator's shell history and notes, without showing them."""

from __future__ import annotations

import re

from ansible.module_utils.loop_finding import Finding
from ansible.module_utils.loop_finding import failed
from ansible.module_utils.loop_finding import finding
from ansible.module_utils.loop_finding import ok
from ansible.module_utils.loop_finding import unasked
from ansible.module_utils.loop_finding import warning

SUBJECT = "passwords in notes"
# What the old one-liners had: `sshpass -p PASSWORD`, also after other options, and `echo PASSWORD | sudo -S`.
PATTERNS: list[tuple[str, str]] = [
    ("sshpass -p", r"\bsshpass\s+(-(?!p)\S*\s+)*-p\s*\S"),
    ("echo … | sudo -S", r"\b(echo|printf)\b[^|]*\|\s*(\S*/)?sudo\s+(-\S+\s+)*(-\w*S|--stdin)\b"),
]


def scan(files: list[str]) -> list[Finding]:
    """Return a line for each password that one of ``files`` shows, one line when there is none."""
    if not files:
        return [finding(SUBJECT, unasked("name your shell history and notes with --scan FILE"))]
    found = [line for file in files for line in _scanned(file)]
    return found or [finding(SUBJECT, ok(f"none in {', '.join(files)}"))]


def _scanned(file: str) -> list[Finding]:
    try:
        # A history has in it whatever was typed.
        with open(file, encoding="utf-8", errors="replace") as lines:
            return [
                finding(
                    SUBJECT,
                    failed(
                        f"{file}:{number} shows the password of `{what}`: change that password in DSM, then delete"
                        " the line"
                    ),
                )
                for number, line in enumerate(lines, 1)
                for what in [name for name, pattern in PATTERNS if re.search(pattern, line)][:1]
            ]
    except OSError as error:
        return [finding(SUBJECT, warning(f"{file} cannot be read ({error.strerror}): name another one with --scan"))]
