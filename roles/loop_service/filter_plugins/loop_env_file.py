"""The API keys in the `.env` of the old one-liners, and where each key comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ansible.errors import AnsibleFilterError

API_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")

# What a shell makes of a text: blanks, ends of commands, comments, words of 'literal', "with \ for quotes", and bare
# characters. A `#` in a word is part of it. files/doctor.sh has the same grammar.
_TOKEN = re.compile(
    r"""(?:[ \t]|\\\n)+|(?P<end>[\n;&|])|#[^\n]*"""
    r"""|(?P<word>(?:'[^']*'|"(?:[^"\\]|\\.)*"|\\.|[^ \t\n'"\\;&|])*)(?P<open>['"]?)""",
    re.DOTALL,
)
_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)", re.DOTALL)
_PIECE = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^'"\\]+)""", re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\$`\n])')


def api_keys(text: str) -> dict[str, str]:
    """Return each of API_KEYS as ``text`` sets it, empty where it does not; `$` stands for itself.

    Raises ValueError, without any of the text, when a quote is not closed.
    """
    found = dict.fromkeys(API_KEYS, "")
    for words in _commands(text.replace("\ufeff", "").replace("\r", "")):
        exported = words[0] == "export"
        assignments = [_ASSIGNMENT.fullmatch(word) for word in words[exported:]]
        # In front of a command they would be the command's alone.
        if exported or all(assignments):
            found.update(
                (match["name"], "".join(_unquoted(piece) for piece in _PIECE.finditer(match["value"])))
                for match in assignments
                if match and match["name"] in found
            )
    return found


def _commands(text: str) -> Iterator[list[str]]:
    """Return the words of each command, quotes and all; a quote that is not closed ends at its line."""
    words: list[str] = []
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        assert token  # a word may be empty
        at = max(token.end(), at + 1)
        if token["open"]:
            name = (token["word"] or "").partition("=")[0]
            if name in API_KEYS:
                raise ValueError(f"the quote in the line of {name} is not closed")
            at = text.find("\n", at) + 1 or len(text)
        elif token["word"]:
            words.append(token["word"])
        if words and (token["end"] or token["open"]):
            yield words
            words = []
    if words:
        yield words


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
