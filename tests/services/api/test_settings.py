"""Variables that are missing or wrong: one sentence, and no start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from api.settings import Settings
from api.settings import SettingsError

from tests.services.api.service import Service


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VAULT_DIR", None),
        ("VAULT_DIR", "vault"),
        ("EXEC_VAULT_DIR", "/elsewhere"),
        ("EXEC_VAULT_DIR", "{vault}"),
        ("EXEC_VAULT_DIR", "{vault}/../x"),
        ("OAUTH_ISSUER", None),
        ("OAUTH_ISSUER", "mcp.example.com"),
        ("OAUTH_ISSUER", "https://mcp.example.com/"),
        ("OAUTH_ISSUER", "https://"),
        ("OAUTH_ISSUER", "https://[::1"),
        ("JWKS_URL", None),
        ("JWKS_URL", "file:///etc/passwd"),
    ],
)
def test_wrong_variable_is_named(tmp_path: Path, name: str, value: str | None) -> None:
    """With what it should be."""
    service = Service(tmp_path, "http://127.0.0.1:9/jwks.json")
    environment = {key: text for key, text in service.environment.items() if key != name}
    if value is not None:
        environment[name] = value.format(vault=service.vault)
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment(environment)


def test_server_does_not_start_without_its_variables(tmp_path: Path) -> None:
    """And says so in one line, without a traceback."""
    service = Service(tmp_path, "http://127.0.0.1:9/jwks.json")
    environment = {**service.environment, "VAULT_DIR": ""}
    command = [sys.executable, "-c", "import api.main"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "loop-api does not start: Set VAULT_DIR to an absolute path.\n"
