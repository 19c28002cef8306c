"""A pair that runs, with a person who may sign in."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.oauth_client import OAuthClient
from tests.services.pair.pair import Pair
from tests.services.site import Site


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Return both services, for all tests: one that stops a service starts it again."""
    with Pair(tmp_path_factory.mktemp("pair")) as pair:
        assert pair.auth.command("user", "add", NAME, password=PASSWORD).returncode == 0
        yield pair


@pytest.fixture(scope="session")
def site(pair: Pair) -> Site:
    """Return where the pair is met."""
    return Site(pair.url)


@pytest.fixture(scope="session")
def client(pair: Pair, http: httpx.Client) -> OAuthClient:
    """Return a registered client in whose browser the person signs in once."""
    client = OAuthClient(pair.url, http)
    client.person = client.browser()
    client.register().raise_for_status()
    return client


@pytest.fixture
def token(client: OAuthClient) -> str:
    """Return a token with the scopes that are given by default."""
    return str(client.connect(NAME, PASSWORD)["access_token"])
