"""schemathesis against the OpenAPI documents of both services."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from tests.services.auth.conftest import CHECKOUT
from tests.services.oauth_client import OAuthClient
from tests.services.site import Site

OAUTH_DOCUMENT = CHECKOUT / "api" / "oauth" / "openapi.yaml"
HOOKS = Path(__file__).with_name("schemathesis_hooks.py")

#: Other seeds passed too; one that finds something new must not fail another change.
SEED = 1

# No generated code or refresh token is valid, and none of the pages' tokens.
OAUTH_CONFIGURATION = """
[[operations]]
include-path = ["/token"]
[operations.checks]
positive_data_acceptance.expected-statuses = ["2xx", "400", "401"]
"""


def fuzz_oauth(site: Site, client: OAuthClient, directory: Path, configuration: str = "") -> None:
    """Look for what the OAuth routes answer and their document does not name; ``configuration`` is added.

    A registered client's values are in the document, so that requests get past the first check.
    """
    document = yaml.safe_load(OAUTH_DOCUMENT.read_text())
    schemas = document["components"]["schemas"]
    schemas["ClientId"] = {"const": client.client_id}
    schemas["Resource"] = {"enum": [client.resource, ""]}
    schemas["OptionalRedirectUri"] = {"enum": [client.redirect_uri, ""]}
    (directory / "openapi.yaml").write_text(yaml.safe_dump(document))
    options = ["openapi.yaml", f"--url={site.url}", "--max-examples=20", "--max-redirects=0"]
    _fuzz(site, directory, OAUTH_CONFIGURATION + configuration, *options)


def fuzz_vault(site: Site, token: str, directory: Path, configuration: str = "") -> None:
    """Look for what the REST API answers to a holder of ``token`` and its document does not name."""
    options = [f"{site.url}/openapi.json", f"--header=Authorization: Bearer {token}", "--max-examples=15"]
    assert "7 selected / 7 total" in _fuzz(site, directory, configuration, *options)


def _fuzz(site: Site, directory: Path, configuration: str, *options: str) -> str:
    (directory / "schemathesis.toml").write_text(configuration)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file=schemathesis.toml", "run", *options]
    command += ["--phases=examples,coverage,fuzzing", f"--seed={SEED}", "--no-color"]
    if site.certificate:
        command.append(f"--tls-verify={site.certificate}")
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": HOOKS.stem, "PYTHONPATH": str(HOOKS.parent)}
    ended = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
