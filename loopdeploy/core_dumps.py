"""Keeping the memory of this process, which has passwords in it, off the disks."""

from __future__ import annotations

import resource

# Bytes, too few to begin a file with. Where the kernel hands a core dump to a program instead, it minds this limit
# alone, see core(5).
LEAST = 1


def prevent_core_dumps() -> None:
    """Let neither this process nor one that it starts write its memory anywhere when it crashes."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (LEAST if hard else 0, hard))
