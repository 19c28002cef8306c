"""Reads the API keys out of an `.env` file, by the filter of the role, which works without this package."""

from __future__ import annotations

from importlib.util import module_from_spec
from importlib.util import spec_from_file_location

from loopdeploy.content import CONTENT

FILTER = CONTENT / "roles" / "loop_service" / "filter_plugins" / "loop_env_file.py"


def api_keys(text: str) -> dict[str, str]:
    """Return each API key as ``text`` sets it, empty where it does not.

    Raises ValueError, without any of the text, when a quote is not closed.
    """
    spec = spec_from_file_location("loop_env_file", FILTER)
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.api_keys(text))
