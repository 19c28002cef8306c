"""The passwords that stand in an operator's shell history and notes, without showing them."""

from __future__ import annotations

import os
import stat
from typing import BinaryIO
from typing import Iterator

from ansible.module_utils.loop_finding import Finding
from ansible.module_utils.loop_finding import failed
from ansible.module_utils.loop_finding import finding
from ansible.module_utils.loop_finding import ok
from ansible.module_utils.loop_finding import unasked
from ansible.module_utils.loop_finding import warning
from ansible.module_utils.loop_shown_passwords import shown_passwords

SUBJECT = "passwords in notes"
# Bytes of a line that are read: nobody typed a longer one.
LONGEST = 2**16


def scan(files: list[str]) -> list[Finding]:
    """Return a line for each password that one of ``files`` shows, one line when there is none."""
    if not files:
        return [finding(SUBJECT, unasked("name your shell history and notes with --scan FILE"))]
    found = [line for file in files for line in _scanned(file)]
    return found or [finding(SUBJECT, ok(f"none in {', '.join(files)}"))]


def _scanned(file: str) -> list[Finding]:
    try:
        # A device may have no end, and a pipe nobody who writes into it.
        if not stat.S_ISREG(os.stat(file).st_mode):
            return [finding(SUBJECT, unasked(f"{file} is no regular file: name another one with --scan"))]
        with open(file, "rb") as opened:
            return list(_findings(file, opened))
    except OSError as error:
        return [finding(SUBJECT, warning(f"{file} cannot be read ({error.strerror}): name another one with --scan"))]


def _findings(file: str, opened: BinaryIO) -> Iterator[Finding]:
    for number, text in _commands(opened):
        if text is None:
            unread = f"{file}:{number} is longer than {LONGEST // 1024} kB and was not read: look at that line yourself"
            yield finding(SUBJECT, unasked(unread))
            continue
        shown: dict[int, str] = {}
        for at, kind in shown_passwords(text):
            shown.setdefault(number + text.count("\n", 0, at), kind)
        for line, kind in shown.items():
            told = f"{file}:{line} shows the password of `{kind}`: change that password in DSM, then delete the line"
            yield finding(SUBJECT, failed(told))


def _commands(opened: BinaryIO) -> Iterator[tuple[int, str | None]]:
    """Yield each line, with those that a backslash joins to it, and its number; of one that is too long, None."""
    begun, first = "", 1
    for number, line in _lines(opened):
        first = first if begun else number
        if line is not None:
            begun += line
            if line.endswith("\\\n") and len(begun) < LONGEST:
                continue
        if begun:
            yield first, begun
        if line is None:
            yield number, None
        begun = ""
    if begun:
        yield first, begun


def _lines(opened: BinaryIO) -> Iterator[tuple[int, str | None]]:
    """Yield each line and its number; of one that is too long, None."""
    number = 0
    while True:
        line = opened.readline(LONGEST)
        if not line:
            return
        number += 1
        if len(line) < LONGEST or line.endswith(b"\n"):
            # A history has in it whatever was typed. In UTF-16 each second byte of what matters is 0.
            text = line.replace(b"\0", b"").replace(b"\r\n", b"\n")
            yield number, text.decode(errors="replace")
            continue
        yield number, None
        while line and not line.endswith(b"\n"):
            line = opened.readline(LONGEST)
