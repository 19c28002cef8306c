"""What several unit tests share."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROLES = Path(__file__).resolve().parents[2] / "roles"

Load = Callable[[str], ModuleType]


@pytest.fixture(scope="session")
def load() -> Load:
    """Import a plugin of a role by its path below roles/."""

    def _load(path: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(Path(path).stem, ROLES / path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return _load
