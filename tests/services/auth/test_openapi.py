"""schemathesis against the OpenAPI document of the OAuth routes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import yaml
from api.oauth.main import ROUTES

from tests.services.auth.conftest import CHECKOUT
from tests.services.auth.conftest import Auth
from tests.services.oauth_client import OAuthClient

DOCUMENT = CHECKOUT / "api" / "oauth" / "openapi.yaml"
HOOKS = Path(__file__).parents[1] / "schemathesis_hooks.py"

#: Other seeds passed too; one that finds something new must not fail another change.
SEED = 1

# No generated code or refresh token is valid, and none of the pages' tokens.
CONFIGURATION = """
[[operations]]
include-path = ["/token"]
[operations.checks]
positive_data_acceptance.expected-statuses = ["2xx", "400", "401"]
"""


def test_every_route_is_described() -> None:
    """And nothing else."""
    paths = yaml.safe_load(DOCUMENT.read_text())["paths"]
    described = {(path, method.upper()) for path, item in paths.items() for method in set(item) - {"parameters"}}
    assert described == {(route.path, method) for route in ROUTES for method in (route.methods or set()) - {"HEAD"}}


def test_schemathesis_finds_nothing(auth: Auth, client: OAuthClient, tmp_path: Path) -> None:
    """With a registered client's values in the document, so that requests get past the first check."""
    document = yaml.safe_load(DOCUMENT.read_text())
    schemas = document["components"]["schemas"]
    schemas["ClientId"] = {"const": client.client_id}
    schemas["Resource"] = {"enum": [client.resource, ""]}
    schemas["OptionalRedirectUri"] = {"enum": [client.redirect_uri, ""]}
    (tmp_path / "openapi.yaml").write_text(yaml.safe_dump(document))
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file=schemathesis.toml", "run", "openapi.yaml"]
    command += [f"--url={auth.base}", "--max-examples=20", "--phases=examples,coverage,fuzzing", "--max-redirects=0"]
    command += [f"--seed={SEED}"]
    environment = {**auth.variables(), "SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HOOKS.parent)}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    print(result.stdout)
    assert "Traceback" not in auth.log
    assert httpx.get(f"{auth.base}/health").json()["status"] == "ok"
