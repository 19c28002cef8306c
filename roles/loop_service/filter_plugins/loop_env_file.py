"""The API keys in the `.env` of the old one-liners, and where each key comes from."""

from __future__ import annotations

import re

from ansible.errors import AnsibleFilterError

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


def loop_env_file(text: str) -> dict[str, str]:
    """Return each API key as the file with ``text`` sets it, empty where it does not."""
    try:
        return api_keys(text)
    except ValueError as error:
        raise AnsibleFilterError(f"The .env on the NAS cannot be understood: {error}; mend it there.") from error


def loop_key_sources(keys: dict[str, str], text: str, file: str) -> list[str]:
    """Return where each of ``keys`` comes from, the vault's own value or ``text`` of ``file``; never the value."""
    found = loop_env_file(text)
    return [
        f"{name} comes from {'the vault' if value else file}"
        if value or found[name]
        else f"{name} is empty: neither the vault nor {file} has it"
        for name, value in keys.items()
    ]


class FilterModule:
    """The filters of this file, as Ansible looks for them."""

    def filters(self) -> dict[str, object]:
        """Return each filter by its name."""
        return {"loop_env_file": loop_env_file, "loop_key_sources": loop_key_sources}
