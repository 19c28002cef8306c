"""Which paths of the vault a client may name: the rules on their text, before any file is touched.

The services' own code, keys and settings lie in the vault. What is refused here is refused by every tool, route,
listing and search, because all of them come through ``vault.py``, and that through here.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

from mcp.shared.path_security import PathEscapeError
from mcp.shared.path_security import safe_join

from api.errors import BadPath
from api.errors import Refused

# Trees in which no client has any business, as folded() writes them.
PRIVATE_TREES = (("api", "oauth"),)
# Folders that a Synology NAS keeps beside the user's own.
NAS_FOLDERS = frozenset({"@eadir", "#recycle", "#snapshot"})
NOTE_SUFFIX = ".md"
MAX_PATH_BYTES = 1024
MAX_NAME_BYTES = 240
# So many folders may lie in one another above a note: a walk holds each of them open.
MAX_DEPTH = 32


def folded(name: str) -> str:
    """Return ``name`` as the most forgiving file system would compare it.

    Case, compatibility forms, invisible characters and final dots or spaces are not told apart on some mounts.
    """
    if name.isascii():
        return name.lower().rstrip(". ")
    visible = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
    return unicodedata.normalize("NFKC", visible).casefold().rstrip(". ")


def is_private(parts: tuple[str, ...]) -> bool:
    """Tell whether ``parts``, relative to the vault, name or lie in what no client may see."""
    names = tuple(folded(part) for part in parts)
    if any(not name or name.startswith(".") or name in NAS_FOLDERS for name in names):
        return True
    return any(names[: len(tree)] == tree for tree in PRIVATE_TREES)


def is_note(name: str) -> bool:
    """Tell whether a file of this name is a note.

    Markdown only. A ``.txt`` is none: the vault holds ``api/requirements.txt``, and what a client writes there would
    be installed by the next build.
    """
    return name.endswith(NOTE_SUFFIX) and name != NOTE_SUFFIX


def is_name(name: str) -> bool:
    """Tell whether a client can ask for ``name``; what it cannot ask for is not listed or found either."""
    clean = name.isprintable() if name.isascii() else not _has_odd_letter(name)
    return clean and "\\" not in name and name not in ("", ".", "..") and len(name.encode()) <= MAX_NAME_BYTES


def fits(path: str) -> bool:
    """Tell whether ``path``, which is made of names, is neither too long nor too deep."""
    return path.count("/") <= MAX_DEPTH and len(path.encode()) <= MAX_PATH_BYTES


def _has_odd_letter(text: str) -> bool:
    """Tell of control characters, and of half surrogates, which JSON can carry and UTF-8 cannot."""
    return any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)


def resolve(root: Path, path: str) -> tuple[str, ...]:
    """Return the names below ``root`` that lead to ``path``, symlinks followed, all of them inside ``root``.

    The answer holds for now only; whoever opens it must not follow symlinks again.

    Raises BadPath for a path that is none or leads out of the vault, Refused for a private one.
    """
    asked = _split(path)
    _refuse_private(asked, path)
    try:
        target = safe_join(root, *asked)
        real = target.relative_to(root.resolve()).parts
    except PathEscapeError as error:
        raise BadPath(f"{path!r} leads out of the vault; name a note inside it.") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise BadPath(f"{path!r} cannot be followed; name a note by its own path.") from error
    _refuse_private(real, path)
    # A short link may lead to what is too deep to be listed.
    if not fits("/".join(real)) or not all(is_name(name) for name in real):
        raise BadPath(f"{path!r} leads to a name that is too long, too deep or odd; rename it, or move it up.")
    return real


def _split(path: str) -> tuple[str, ...]:
    """Return the names in ``path``, which is relative, with ``/`` between names and nothing odd in them."""
    if _has_odd_letter(path) or "\\" in path:
        raise BadPath("A path holds no control character and no backslash; name a note such as folder/note.md.")
    parts = tuple(path.split("/")) if path else ()
    if any(part in ("", ".", "..") for part in parts):
        raise BadPath(f"{path!r} is no path inside the vault; name a note such as folder/note.md.")
    if not fits(path) or not all(is_name(part) for part in parts):
        raise BadPath("The path is too long or too deep; use a shorter one.")
    return parts


def _refuse_private(parts: tuple[str, ...], path: str) -> None:
    if is_private(parts):
        raise Refused(f"{path!r} is not open to clients; name another note.")
