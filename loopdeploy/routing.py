"""Where Ansible's plugins went to, kept from one run to the next as JSON; reading it out of YAML takes 0.1 s."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from loopdeploy.atomic import write_whole


def keep_routing() -> None:
    """Let Ansible find again what it once read out of the runtime.yml of itself and of a collection.

    It allows for another implementation of this one function, which may keep what it read: see its docstring in
    ansible.utils.collection_loader._collection_meta. With another layout of Ansible nothing is kept.
    """
    with suppress(ImportError, AttributeError):
        from ansible.utils.collection_loader import _collection_finder

        read = _collection_finder._meta_yml_to_dict
        _collection_finder._meta_yml_to_dict = lambda text, content_id: _kept(text, lambda: read(text, content_id))


def _kept(text: bytes | str, read: Any) -> Mapping[str, Any]:
    """Return what ``read`` made of ``text`` before, or makes of it now."""
    content = text.encode() if isinstance(text, str) else text
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    file = Path(cache, "loopdeploy", "routing", f"{hashlib.sha256(content).hexdigest()[:16]}.json")
    with suppress(OSError, ValueError):  # there is none yet, or half of one
        if file.stat().st_uid == os.getuid():
            return dict(json.loads(file.read_bytes()))
    routing: Mapping[str, Any] = read()
    # Without a place to keep it, or with a value that JSON does not have, such as a date, it is read again.
    with suppress(OSError, TypeError, ValueError):
        content = json.dumps(routing).encode()
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(file, content, 0o600)
    return routing
