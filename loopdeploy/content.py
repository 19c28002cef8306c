"""Where the playbooks, the roles and the lab's inventory are: beside this file in a wheel, above it in a clone."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent

CONTENT = _PACKAGE / "content" if (_PACKAGE / "content").is_dir() else _PACKAGE.parent
LAB_INVENTORY = CONTENT / "inventory" / "lab"
LAB_VAULT_PASSWORD = LAB_INVENTORY / "vault-password.txt"
