"""Reads the API keys out of an `.env` file as a shell would, without running anything in it."""

from __future__ import annotations

import re

API_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")

# A word as a shell puts it together: 'literal', "with \\ for quotes", and bare characters up to a space. A `#` in a
# word is part of it.
_ASSIGNMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_]\w*)[ \t]*=[ \t]*"""
    r"""(?P<value>(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^\s'"\\])*)(?P<open>['"]?)""",
    re.MULTILINE | re.DOTALL,
)
_PIECE = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^'"\\]+)""", re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\$`\n])')


def api_keys(text: str) -> dict[str, str]:
    """Return each of API_KEYS as ``text`` sets it, empty where it does not; `$` stands for itself.

    Raises ValueError, without any of the text, when a quote is not closed.
    """
    found = dict.fromkeys(API_KEYS, "")
    lines = text.replace("\ufeff", "").replace("\r", "")
    for match in _ASSIGNMENT.finditer(lines):
        if match["name"] in found:
            if match["open"]:
                raise ValueError(f"the quote in the line of {match['name']} is not closed")
            found[match["name"]] = "".join(_unquoted(piece) for piece in _PIECE.finditer(match["value"]))
    return found


def _unquoted(piece: re.Match[str]) -> str:
    literal, quoted, escaped, bare = piece.groups()
    if quoted is not None:
        return _ESCAPE.sub(lambda escape: escape[1].strip("\n"), quoted)
    return literal or (escaped or "").strip("\n") or bare or ""
