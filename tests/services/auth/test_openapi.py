"""The OpenAPI document of the OAuth routes: complete, and what schemathesis says of it."""

from __future__ import annotations

from pathlib import Path

import httpx
import yaml
from api.oauth.main import ROUTES

from tests.services.auth.conftest import Auth
from tests.services.fuzzing import OAUTH_DOCUMENT
from tests.services.fuzzing import fuzz_oauth
from tests.services.oauth_client import OAuthClient
from tests.services.site import Site


def test_every_route_is_described() -> None:
    """And nothing else."""
    paths = yaml.safe_load(OAUTH_DOCUMENT.read_text())["paths"]
    described = {(path, method.upper()) for path, item in paths.items() for method in set(item) - {"parameters"}}
    assert described == {(route.path, method) for route in ROUTES for method in (route.methods or set()) - {"HEAD"}}


def test_schemathesis_finds_nothing(auth: Auth, site: Site, client: OAuthClient, tmp_path: Path) -> None:
    """And no request was more than it could take."""
    fuzz_oauth(site, client, tmp_path)
    assert "Traceback" not in auth.log
    assert httpx.get(f"{auth.base}/health").json()["status"] == "ok"
