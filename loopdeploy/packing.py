"""Ansible's modules, packed for the NAS, kept from one run to the next."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from loopdeploy.content import CONTENT

# Days after which what was packed by other versions is removed.
STALE = 1


def keep_packed_modules() -> None:
    """Let Ansible find the modules that an earlier run packed; each takes 0.2 s.

    Ansible itself keeps them for one run, in its temporary directory. They are code and hold no arguments.
    """
    from ansible import constants

    with suppress(OSError):  # without a place to keep them, or with another Ansible's layout, they are packed again
        directory = _directory()
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget_others(directory)
        if directory.stat().st_uid == os.getuid() and not directory.stat().st_mode & 0o077:
            Path(constants.DEFAULT_LOCAL_TMP, "ansiballz_cache").symlink_to(directory)


def _directory() -> Path:
    """Return where the modules of exactly these versions and files are kept."""
    collections = [Path(path, "ansible_collections/community/docker/MANIFEST.json") for path in _collection_paths()]
    files = [*CONTENT.glob("roles/*/library/*.py"), *CONTENT.glob("roles/*/module_utils/*.py"), *collections]
    parts = [version("ansible-core"), sys.version, str(CONTENT), *map(_fingerprint, sorted(files))]
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache, "loopdeploy", "modules", hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16])


def _collection_paths() -> list[str]:
    from ansible import constants

    return [*constants.COLLECTIONS_PATHS, *sys.path]


def _fingerprint(file: Path) -> str:
    try:
        status = file.stat()
    except OSError:
        return ""
    return f"{file} {status.st_size} {status.st_mtime_ns}"


def _forget_others(kept: Path) -> None:
    for other in kept.parent.iterdir():
        if other != kept and time.time() - other.stat().st_mtime > STALE * 86400:
            shutil.rmtree(other)
