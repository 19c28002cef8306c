"""The LOOP checkout on the practice NAS, which is the vault too: changed by a test, and put back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import Nas

GIT = ("git", "-c", "safe.directory=*", "-C", CHECKOUT)
# Folders only where this empties them: loop-api's mounts stand in others that are empty.
REMOVE = """
import os, sys
os.chdir(sys.argv[1])
for path in filter(None, sys.stdin.read().split("\\0")):
    os.unlink(path)
    folder = os.path.dirname(path)
    while folder and not os.listdir(folder):
        os.rmdir(folder)
        folder = os.path.dirname(folder)
"""


def restored(nas: Nas) -> None:
    """Put the checkout back as it was committed."""
    nas.run(*GIT, "checkout", "--quiet", ".")


def append(nas: Nas, code: str, file: str = "api/main.py") -> None:
    """Append code to a file of the checkout."""
    nas.run("sh", "-c", f"cat >> {CHECKOUT}/{file}", stdin=f"\n{code}\n")


@contextmanager
def vault_kept(nas: Nas) -> Iterator[None]:
    """Remove the notes that are written meanwhile, and put back those that were there."""
    before = _uncommitted(nas)
    try:
        yield
    finally:
        made = _uncommitted(nas) - before
        nas.run("python3.11", "-X", "utf8", "-c", REMOVE, CHECKOUT, stdin="\0".join(made))
        restored(nas)


def _uncommitted(nas: Nas) -> set[str]:
    """Return the files that git does not know, without loop-auth's own, which come and go."""
    listed = nas.run(*GIT, "ls-files", "-z", "--others", "--exclude", "/api/oauth/")
    return set(listed.split("\0")) - {""}
