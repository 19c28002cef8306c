"""What others wrote, against the containers on the practice NAS, through its reverse proxy.

The tests are those that the services pass as processes of this machine. Here they are told of another place.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.lab.checkout import vault_kept
from tests.lab.conftest import DOCKER
from tests.lab.conftest import SERVICES
from tests.lab.conftest import Nas
from tests.lab.conftest import deployed
from tests.lab.sign_in import make_user
from tests.lab.sign_in import public_url
from tests.services.api import test_node
from tests.services.api.issuer import EVERY_SCOPE
from tests.services.auth import test_suites as auth_suites
from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.fuzzing import fuzz_oauth
from tests.services.fuzzing import fuzz_vault
from tests.services.oauth_client import OAuthClient
from tests.services.pair import test_pages
from tests.services.pair import test_sdk_client
from tests.services.pair import test_suites as pair_suites
from tests.services.pair.pages import Visits
from tests.services.pair.pages import visit_pages
from tests.services.proxy import Proxy
from tests.services.site import Site
from tests.services.waiting import eventually

test_inspector_signs_in_and_calls_tools = pair_suites.test_inspector_signs_in_and_calls_tools
test_sdk_signs_in_once_and_calls_tools = test_sdk_client.test_it_signs_in_once_and_calls_tools
test_a_strict_client_accepts_every_answer_of_both = pair_suites.test_a_strict_client_accepts_every_answer_of_both
test_mcp_conformance_for_authorization_servers = auth_suites.test_mcp_conformance_for_authorization_servers
test_mcp_conformance_for_servers = test_node.test_conformance
test_person_allows = test_pages.test_person_allows
test_person_does_not_allow = test_pages.test_person_does_not_allow
test_browser_is_not_sent_where_nobody_registered = test_pages.test_browser_is_not_sent_where_nobody_registered

# All methods but TRACE, which nginx refuses before either service sees it.
WITHOUT_TRACE = """
[phases.coverage]
unexpected-methods = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "QUERY"]
"""
# All come from one address here, which may register 20 clients an hour; and /health is public for loop-api alone.
OAUTH_ROUTES = """
[[operations]]
include-path = ["/register"]
[operations.checks]
positive_data_acceptance.expected-statuses = ["2xx", "429"]

[[operations]]
include-path = ["/health"]
enabled = false
"""


def forget_counts(nas: Nas) -> None:
    """Let loop-auth forget how often this machine, one address to it, has registered and signed in."""
    nas.docker("restart", "loop-auth")
    eventually(lambda: nas.inspect("loop-auth")["State"]["Health"]["Status"] == "healthy", 60)


@pytest.fixture(scope="module")
def site(lab: Nas, good: list[object], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return where both services are public, with limits that nothing has used up; the vault is kept as it is."""
    deployed(lab, good)
    make_user(lab)
    certificate = tmp_path_factory.mktemp("clients") / "tls.crt"
    certificate.write_text(lab.run("cat", "/etc/nginx/tls.crt"))
    forget_counts(lab)
    try:
        with vault_kept(lab):
            yield Site(public_url(), certificate)
    finally:
        forget_counts(lab)


@pytest.fixture(scope="module")
def http(site: Site) -> Iterator[httpx.Client]:
    """Give an HTTP client that trusts the practice NAS."""
    with httpx.Client(verify=site.trust, timeout=20) as http:
        yield http


@pytest.fixture
def client(site: Site, http: httpx.Client) -> OAuthClient:
    """Return a registered client."""
    client = OAuthClient(site.url, http)
    client.register().raise_for_status()
    return client


@pytest.fixture(scope="module")
def token(site: Site, http: httpx.Client) -> str:
    """Return a token with every scope."""
    return str(OAuthClient(site.url, http).connect(NAME, PASSWORD, scope=EVERY_SCOPE)["access_token"])


@pytest.fixture(scope="module")
def proxied(site: Site, token: str) -> Iterator[str]:
    """Return the URL of /mcp where the token comes by itself, as the suite has no option for one."""
    port = httpx.URL(site.url).port
    assert port and not isinstance(site.trust, bool)
    with Proxy(lambda _: port, {"Authorization": f"Bearer {token}"}, trust=site.trust) as proxy:
        yield f"{proxy.url}/mcp"


@pytest.fixture(scope="module")
def visits(site: Site, http: httpx.Client) -> Visits:
    """Let Chromium visit loop-auth behind the practice NAS's reverse proxy."""
    return visit_pages(site.url, http, site.url)


@pytest.fixture
def quiet(lab: Nas) -> Iterator[None]:
    """Require that neither container logs a failure meanwhile."""
    began = lab.run("date", "+%s.%N").strip()
    yield
    for service in SERVICES:
        assert "Traceback" not in lab.run("sh", "-c", f"{DOCKER} logs --since {began} {service} 2>&1")


def test_schemathesis_finds_nothing_in_the_vault(site: Site, token: str, quiet: None, tmp_path: Path) -> None:
    """Behind nginx too, every answer is one that the OpenAPI document names."""
    fuzz_vault(site, token, tmp_path, WITHOUT_TRACE)


def test_schemathesis_finds_nothing_at_the_oauth_routes(
    site: Site, client: OAuthClient, quiet: None, tmp_path: Path
) -> None:
    """The last one, as it uses up how often an address may register."""
    fuzz_oauth(site, client, tmp_path, WITHOUT_TRACE + OAUTH_ROUTES)
