"""The passwords that a command in a history or a note shows, found without a shell and without showing them.

Words are told apart as a shell does only behind one that matters, because the text around it may be anything: prose,
JSON, a command in a command's quotes. A quote that is not closed there is therefore taken for one around the command.
"""

from __future__ import annotations

import re
from typing import Iterator
from typing import NamedTuple

# So many words, and characters, of a command are read, so that no text takes long.
MANY = 40
FAR = 1000
# So many characters are between a bracket and the command behind it, at most.
NEAR = 20

_KEYWORD = re.compile(r"\b(?:(?P<program>sshpass|sudo|echo|printf)(?=[\s\\])|SSHPASS=)")
_SUDO = re.compile(r"\bsudo(?=[\s\\])")
_SSH = re.compile(r"\bssh\s")
_TOKEN = re.compile(
    r"""(?P<blank>(?:[^\S\n]|\\\r?\n)+)|(?P<pipe>\|(?!\|)&?)|(?P<input><<<)"""
    r"""|(?P<word>(?:'[^']{0,500}'|"(?:[^"\\]|\\.){0,500}"|`[^`]{0,500}`|\\[^\r\n]|>&?|<&|[^\s'"`\\|;&<>]+)+)""",
    re.DOTALL,
)
_QUOTED = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)""", re.DOTALL)
# In single quotes, a $ is one. Where a double quote is in them, '"$PW"' in a quoted command, they are the outer one's.
_LITERAL = re.compile(r"""\$?'[^'"]+'""")
# What is written elsewhere than to standard output is no password for a pipe.
_ELSEWHERE = re.compile(r"(?:^|[^2-9])>")
# A group of commands, which has one pipe behind it.
_OPENED = re.compile(r"(?:(?<![$<>])\(|\{(?=\s))\s*$")
_PART = re.compile(r"""'[^']{0,500}'|"(?:[^"\\]|\\.){0,500}"|\\.|[(){}]|[^'"\\(){}]+""", re.DOTALL)
_CLOSING = {"(": ")", "{": "}"}
# What printf puts something in the place of.
_DIRECTIVE = re.compile(r"%[-+ #0-9.]*[a-z]|\\[nrt]")


class _Options(NamedTuple):
    """Which options of a program have a value: in the same word or the next, in the same word only, and in full."""

    valued: str
    attached: str
    long: tuple[str, ...]


_OF_SSHPASS = _Options("fdpP", "e", ())
_LONG = "chdir chroot close-from command-timeout group host other-user prompt role type user"
_OF_SUDO = _Options("CDghpRrtTUu", "", tuple(_LONG.split()))


def shown_passwords(text: str) -> Iterator[tuple[int, str]]:
    """Yield where in ``text`` a command is that shows a password, and which kind of command that is."""
    for keyword in _KEYWORD.finditer(text):
        kind = _kind(text, keyword)
        if kind:
            yield keyword.start(), kind


def _kind(text: str, keyword: re.Match[str]) -> str:
    """Return which kind of command begins at ``keyword``, "" for one that shows no password."""
    at, program = keyword.end(), keyword["program"]
    if program == "sshpass":
        options = _options(_words(text, at), _OF_SSHPASS)
        return "sshpass -p" if any(name == "p" and _shows(text, at, value) for name, value in options) else ""
    if program == "sudo":
        tokens = list(_tokens(text, at))
        inputs = [word for token, word in zip(tokens, tokens[1:]) if token["input"]]
        shown = any(_shows(text, at, word["word"] or "") for word in inputs)
        return "sudo -S <<<" if shown and _reads_password(text, at) else ""
    if program:
        shown = _is_piped_to_sudo(text, keyword.start(), at) and _shows_words(text, at, program)
        return f"{program} … | sudo -S" if shown else ""
    value = _TOKEN.match(text, at, at + FAR)
    return "SSHPASS=" if value and _shows(text, at, value["word"] or "") else ""


def _tokens(text: str, at: int) -> Iterator[re.Match[str]]:
    """Yield the words, pipes and `<<<` of the command at ``at``, to its end or to that of a quote around it."""
    end = at + FAR
    for _ in range(2 * MANY):  # with the blanks between them
        token = _TOKEN.match(text, at, end)
        if not token:
            return
        at = token.end()
        if not token["blank"]:
            yield token


def _words(text: str, at: int) -> Iterator[str]:
    """Yield the words of the command at ``at``, quotes and all, to its first pipe or `<<<`."""
    for token in _tokens(text, at):
        if not token["word"]:
            return
        yield token["word"]


def _options(words: Iterator[str], known: _Options) -> Iterator[tuple[str, str]]:
    """Yield the options that ``words`` begin with, as getopt(3) tells them apart, each with its value."""
    for word in words:
        plain = _plain(word)
        if plain in ("-", "--") or not plain.startswith("-"):
            return
        if plain.startswith("--"):
            name, equals, value = plain[2:].partition("=")
            yield name, next(words, "") if name in known.long and not equals else value
            continue
        for index, letter in enumerate(plain[1:], 2):
            # The quotes of a value count, those of its option do not.
            rest = word[index:] if word.startswith("-") else plain[index:]
            if letter in known.valued:
                yield letter, rest or next(words, "")
                break
            yield letter, ""
            if letter in known.attached:
                break


def _reads_password(text: str, at: int) -> bool:
    """Return whether the options of the sudo at ``at`` let it read the password from its input."""
    return any(name in ("S", "stdin") for name, _ in _options(_words(text, at), _OF_SUDO))


def _is_piped_to_sudo(text: str, start: int, at: int) -> bool:
    """Return whether a sudo that reads a password gets what the command from ``start``, its words ``at``, writes."""
    if text.find("sudo", at, at + FAR) < 0:
        return False
    return _has_sudo_behind(text, at) or _has_sudo_behind(text, _end_of_group(text, start, at))


def _has_sudo_behind(text: str, at: int) -> bool:
    """Return whether the pipe behind what is ``at`` leads to a sudo that reads a password, be it through ssh."""
    tokens = list(_tokens(text, at))
    pipe = next((token.end() for token in tokens if token["pipe"]), None)
    if pipe is None:
        return False
    return any(_reads_password(text, sudo.end()) for sudo in _SUDO.finditer(text, pipe, tokens[-1].end() + 1))


def _end_of_group(text: str, start: int, at: int) -> int:
    """Return where the group ends that begins with the command from ``start``, its words ``at``; else that of the text.

    What a command further on in a group writes comes too late to be the password.
    """
    opened = _OPENED.search(text[max(0, start - NEAR) : start])
    if not opened or any(_ELSEWHERE.search(_QUOTED.sub("", word)) for word in _words(text, at)):
        return len(text)
    opening, depth, end = opened[0][0], 1, at + FAR
    while depth:
        part = _PART.match(text, at, end)
        if not part:
            return len(text)
        at = part.end()
        depth += {opening: 1, _CLOSING[opening]: -1}.get(part[0], 0)
    return at


def _shows_words(text: str, at: int, program: str) -> bool:
    """Return whether the first that the echo or printf at ``at`` writes is a password itself."""
    words = [word for word in _words(text, at) if not re.match(r"-[neE]+$", word)]
    if program == "printf" and words and not _DIRECTIVE.sub("", _plain(words[0])):
        words = words[1:]
    return bool(words) and _shows(text, at, words[0])


def _shows(text: str, at: int, value: str) -> bool:
    """Return whether ``value``, in the command at ``at``, is a password: there, and not put there by a shell."""
    plain = _plain(value).lstrip("'\"")
    if not plain or plain[0] not in "$`":
        return bool(plain)
    # In double quotes around the command, neither single ones nor a backslash hold off the shell that runs it.
    if text.count('"', max(0, at - FAR), at) % 2 == 1:
        return False
    is_escaped = value.startswith(("\\$", "\\`")) and not _is_behind_ssh(text, at)
    return is_escaped or bool(_LITERAL.fullmatch(value))


def _is_behind_ssh(text: str, at: int) -> bool:
    """Return whether ssh takes what is ``at`` to another shell, which finds no backslash there unless it is quoted."""
    before = text[max(0, at - FAR) : at]
    command = before[1 + max(before.rfind(end) for end in ";&|\n") :]
    return bool(_SSH.search(command)) and command.count("'") % 2 == 0


def _plain(word: str) -> str:
    """Return ``word`` without its quotes."""
    return _QUOTED.sub(lambda piece: piece[1] or piece[2] or piece[3] or "", word)
