"""/authorize: what is refused, how, and what a person sees."""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

import httpx
import pytest

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.auth.conftest import Auth
from tests.services.auth.conftest import Make
from tests.services.auth.conftest import someone
from tests.services.oauth_client import REDIRECT_URI
from tests.services.oauth_client import Browser
from tests.services.oauth_client import OAuthClient
from tests.services.oauth_client import Pkce
from tests.services.oauth_client import redirected

SECOND_URI = "http://localhost/callback?keep=1"


@pytest.fixture
def consent(client: OAuthClient) -> tuple[Browser, httpx.Response]:
    """Return a browser on its consent page."""
    browser = client.browser()
    return browser, browser.sign_in(client.authorize_url(Pkce()), NAME, PASSWORD)


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "nobody"},
        {"client_id": "https://claude.ai/client.json"},
        {"redirect_uri": "http://127.0.0.1:6276/oauth/callback/"},
        {"redirect_uri": "http://127.0.0.1:6276/oauth/callback?more=1"},
        {"redirect_uri": "http://127.0.0.1:6276/oauth/callback#fragment"},
        {"redirect_uri": "http://127.0.0.1.evil.example:6276/oauth/callback"},
        {"redirect_uri": "http://user@127.0.0.1:6276/oauth/callback"},
        {"redirect_uri": "http://localhost:6276/oauth/callback"},
        {"redirect_uri": "https://127.0.0.1:6276/oauth/callback"},
        {"redirect_uri": "http://127.0.0.1:99999/oauth/callback"},
        {"redirect_uri": "http://127.0.0.1:6276/oauth/../oauth/callback"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "data:text/html,x"},
        {"redirect_uri": '"><script>'},
        {"redirect_uri": "http://127.0.0.1:6276/oauth/callback\r\nX: y"},
        {"redirect_uri": "//evil.example", "response_type": "token"},
    ],
)
def test_a_wrong_client_or_redirect_uri_is_never_redirected_to(
    client: OAuthClient, changes: dict[str, str | None]
) -> None:
    """RFC 6749, section 4.1.2.1: the person is told instead."""
    answer = client.browser().get(client.authorize_url(Pkce(), **changes))
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "<script>" not in answer.text
    assert "did not work" in answer.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "a" * 44}, "invalid_request"),
        ({"scope": "vault:read admin"}, "invalid_scope"),
        ({"resource": "https://evil.example/mcp"}, "invalid_target"),
    ],
)
def test_other_errors_go_back_to_the_client_with_state_and_issuer(
    auth: Auth, client: OAuthClient, changes: dict[str, str | None], error: str
) -> None:
    """RFC 9207: on errors too."""
    found = redirected(client.browser().get(client.authorize_url(Pkce(), **changes)))
    assert (found["error"], found["state"], found["iss"]) == (error, "practice-state", auth.issuer)
    assert "code" not in found


@pytest.mark.parametrize("suffix", ["/", "?x", "/../mcp"])
def test_a_resource_is_compared_as_a_string(client: OAuthClient, suffix: str) -> None:
    """RFC 8707: tokens are for one resource alone."""
    url = client.authorize_url(Pkce(), resource=client.resource + suffix)
    assert redirected(client.browser().get(url))["error"] == "invalid_target"
    two = f"{client.authorize_url(Pkce())}&resource=https%3A%2F%2Fevil.example"
    assert redirected(client.browser().get(two))["error"] == "invalid_target"


@pytest.mark.parametrize("extra", ["state=2", "client_id=x", "redirect_uri=https%3A%2F%2Fevil.example", "scope=%FF"])
def test_a_parameter_given_twice_or_broken_is_refused(client: OAuthClient, extra: str) -> None:
    """Which of two counts would be for an attacker to choose."""
    answer = client.browser().get(f"{client.authorize_url(Pkce(), scope='vault:read')}&{extra}")
    assert answer.status_code == 400
    assert "location" not in answer.headers


def test_a_request_that_is_too_long_is_refused(client: OAuthClient) -> None:
    """With a page, before anything is looked up."""
    assert client.browser().get(client.authorize_url(Pkce(), state="x" * 20_000)).status_code == 400


def test_the_port_on_loopback_is_the_clients_choice(client: OAuthClient) -> None:
    """RFC 8252, section 7.3: and the query of the redirect URI stays."""
    client.register(redirect_uris=[REDIRECT_URI, SECOND_URI])
    client.redirect_uri = "http://localhost:54321/callback?keep=1"
    pkce = Pkce()
    browser = client.browser()
    answer = browser.press(browser.sign_in(client.authorize_url(pkce), NAME, PASSWORD), "allow")
    url = urlsplit(answer.headers["location"])
    assert (url.netloc, url.path) == ("localhost:54321", "/callback")
    found = redirected(answer)
    assert found["keep"] == "1"
    assert client.redeem(found["code"], pkce).status_code == 200


def test_a_redirect_uri_may_be_left_out_when_there_is_one(client: OAuthClient) -> None:
    """RFC 6749, section 3.1.2.3; of two it may not."""
    pkce = Pkce()
    code = client.code(NAME, PASSWORD, pkce, redirect_uri=None)
    assert client.redeem(code, pkce, redirect_uri=None).status_code == 200
    client.register(redirect_uris=[REDIRECT_URI, SECOND_URI])
    assert client.browser().get(client.authorize_url(pkce, redirect_uri=None)).status_code == 400


def test_denial_goes_back_without_a_code(consent: tuple[Browser, httpx.Response]) -> None:
    """RFC 6749, section 4.1.2.1."""
    browser, page = consent
    found = redirected(browser.press(page, "deny"))
    assert found["error"] == "access_denied"
    assert set(found) == {"error", "error_description", "state", "iss"}


def test_cancel_needs_no_sign_in(client: OAuthClient) -> None:
    """Who does not know the app can get away from it; the link carries what a refusal does."""
    page = client.browser().get(client.authorize_url(Pkce()))
    (cancel,) = re.findall(r'href="([^"]+)">Cancel<', page.text)
    url = httpx.URL(html.unescape(cancel))
    assert str(url.copy_with(query=None)) == client.redirect_uri
    assert (url.params["error"], url.params["state"], url.params["iss"]) == (
        "access_denied", "practice-state", client.issuer,
    )  # fmt: skip


def test_consent_shows_who_asks_for_what_and_where_it_leads(consent: tuple[Browser, httpx.Response]) -> None:
    """The name is the client's own claim; the host is not."""
    text = consent[1].text
    for words in ("Practice client", "127.0.0.1:6276", "a program on the computer", "Read, list", "Create and change"):
        assert words in text
    assert "executive" not in text
    assert NAME in text


def test_the_executive_vault_is_only_given_when_asked_for(client: OAuthClient) -> None:
    """``offline_access`` is accepted and means nothing."""
    browser = client.browser()
    page = browser.sign_in(client.authorize_url(Pkce(), scope="offline_access exec:read"), NAME, PASSWORD)
    assert "executive" in page.text
    assert "Create and change" not in page.text
    assert client.connect(NAME, PASSWORD, scope="exec:read vault:read")["scope"] == "vault:read exec:read"
    assert client.connect(NAME, PASSWORD, scope="offline_access")["scope"] == "vault:read vault:write"


def test_consent_is_asked_each_time(client: OAuthClient, consent: tuple[Browser, httpx.Response]) -> None:
    """A cookie never allows in its user's place, neither the same client again nor another one."""
    browser, page = consent
    redirected(browser.press(page, "allow"))
    other = OAuthClient(client.issuer, client.http, client.base, headers=someone())
    other.register(client_name="Another")
    for url in (client.authorize_url(Pkce()), other.authorize_url(Pkce())):
        answer = browser.get(url)
        assert answer.status_code == 200
        assert "<h1>Allow" in answer.text


def test_a_form_of_another_page_browser_or_request_is_refused(
    client: OAuthClient, consent: tuple[Browser, httpx.Response]
) -> None:
    """The token is bound to the browser's cookie and to the request."""
    browser, page = consent
    url = str(page.url)
    token = re.search('name="csrf" value="([^"]+)"', page.text)
    assert token is not None
    right = {"csrf": token[1], "action": "allow"}
    headers = {"Cookie": browser.cookie}
    refused = [
        client.http.post(url, data={"action": "allow"}, headers=headers),
        client.http.post(url, data={**right, "csrf": "0" * 64}, headers=headers),
        client.http.post(url, data={**right, "csrf": "ä"}, headers=headers),
        client.http.post(url, data=right),
        client.http.post(url, data=right, headers={"Cookie": "loop=" + "a" * 43}),
        client.http.post(url + "&scope=exec:read", data=right, headers=headers),
    ]
    assert [answer.status_code for answer in refused] == [403] * 6
    assert "code=" in client.http.post(url, data=right, headers=headers).headers["location"]


def test_who_is_not_signed_in_cannot_allow(client: OAuthClient) -> None:
    """The token of the sign-in page is worth nothing there."""
    browser = client.browser()
    answer = browser.press(browser.get(client.authorize_url(Pkce())), "allow")
    assert answer.headers["location"].startswith("/authorize?")


def test_signing_out_ends_it(client: OAuthClient, consent: tuple[Browser, httpx.Response]) -> None:
    """Also for a page that is still open."""
    browser, page = consent
    browser.press(page, "sign-out")
    assert "<h1>Sign in" in browser.get(client.authorize_url(Pkce())).text
    assert "code=" not in browser.press(page, "allow").headers["location"]


def test_the_cookie_changes_at_sign_in_and_is_for_servers_only(client: OAuthClient) -> None:
    """A cookie that somebody planted is not signed in afterwards."""
    browser = client.browser()
    before = browser.get(client.authorize_url(Pkce()))
    planted = browser.cookie
    answer = browser.press(before, "sign-in", name=NAME, password=PASSWORD)
    assert browser.cookie != planted
    attributes = answer.headers["set-cookie"].lower()
    assert "httponly" in attributes
    assert "samesite=lax" in attributes
    client.http.cookies.clear()
    page = client.http.get(client.authorize_url(Pkce()), headers={"Cookie": planted})
    assert "<h1>Sign in" in page.text


def test_pages_cannot_be_framed_scripted_or_kept(consent: tuple[Browser, httpx.Response]) -> None:
    """The policy names what may load."""
    headers = consent[1].headers
    policy = policy_of(consent[1])
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/=]+'", policy["style-src"])
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"


def test_a_password_is_sent_to_this_service_alone(client: OAuthClient, consent: tuple[Browser, httpx.Response]) -> None:
    """Forms elsewhere too lead nowhere else; but the consent page's, as the client may send the browser on."""
    browser = client.browser()
    sign_in = browser.get(client.authorize_url(Pkce()))
    wrong = browser.get(client.authorize_url(Pkce(), redirect_uri="https://evil.example/"))
    assert policy_of(sign_in)["form-action"] == policy_of(wrong)["form-action"] == "'self'"
    assert "form-action" not in policy_of(consent[1])


def policy_of(page: httpx.Response) -> dict[str, str]:
    """Return the directives of a page's policy."""
    return dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))


def test_a_clients_name_is_text(client: OAuthClient) -> None:
    """No markup, no hidden or turning characters, one line."""
    client.register(client_name='<b>x</b> "Claude"\n\u202eevil\u200b\x00' + "y" * 500)
    text = client.browser().get(client.authorize_url(Pkce())).text
    assert "<b>" not in text
    assert '<b>x</b> "Claude" evil yyy' in html.unescape(text)
    assert "\u202e" not in text
    assert "y" * 101 not in text
    assert "y…<" in text


def test_pages_are_usable_by_keyboard_and_screen_reader(client: OAuthClient) -> None:
    """Every field has a label, the language and the viewport are set, errors are announced, focus is placed."""
    browser = client.browser()
    page = browser.get(client.authorize_url(Pkce()))
    for part in ('lang="en"', "width=device-width", 'label for="name"', 'label for="password"', "autofocus"):
        assert part in page.text
    wrong = browser.press(page, "sign-in", name=NAME, password="wrong")
    assert wrong.status_code == 403
    assert 'role="alert"' in wrong.text
    assert f'value="{NAME}"' in wrong.text
    assert "wrong" not in re.findall('value="([^"]*)"', wrong.text)
    assert "src=" not in wrong.text and "<link" not in wrong.text


@pytest.mark.parametrize("name", [NAME, "nobody", "", "x" * 5000, "ä\x00"])
def test_a_wrong_password_and_a_wrong_name_look_the_same(client: OAuthClient, name: str) -> None:
    """Nobody learns who has an account."""
    browser = client.browser()
    answer = browser.press(browser.get(client.authorize_url(Pkce())), "sign-in", name=name, password="wrong ä\x00")
    assert answer.status_code == 403
    assert "The name or the password is wrong." in answer.text


def test_an_attacker_is_slowed_down_and_the_owner_gets_in(auth: Auth, http: httpx.Client) -> None:
    """Ten tries from an address; elsewhere, and in a browser that is known, the right password still counts."""
    owner = auth.client(http)
    owner.register()
    browser = owner.browser()
    browser.sign_in(owner.authorize_url(Pkce()), NAME, PASSWORD)
    attacker = auth.client(http)
    attacker.client_id = owner.client_id
    enemy = attacker.browser()
    page = enemy.get(attacker.authorize_url(Pkce()))
    answers = [enemy.press(page, "sign-in", name=NAME, password=f"wrong {n}").status_code for n in range(10)]
    assert answers == [403] * 10
    stopped = enemy.press(page, "sign-in", name=NAME, password=PASSWORD)
    assert stopped.status_code == 429
    assert 0 < int(stopped.headers["retry-after"]) <= 900
    assert "Try again in 15 minutes" in stopped.text
    # The owner's browser, now behind the same address.
    browser.headers = attacker.headers
    browser.press(browser.get(owner.authorize_url(Pkce())), "sign-out")
    assert "<h1>Allow" in browser.sign_in(owner.authorize_url(Pkce()), NAME, PASSWORD).text


def test_the_cookie_is_secure_behind_https(make: Make, http: httpx.Client) -> None:
    """The service itself is reached by plain http there, from its proxy."""
    auth = make(issuer="https://loop.example").start()
    client = auth.client(http)
    client.register(redirect_uris=["https://claude.ai/api/mcp/auth_callback"])
    client.redirect_uri = "https://claude.ai/api/mcp/auth_callback"
    page = client.browser().get(client.authorize_url(Pkce()))
    assert page.headers["set-cookie"].startswith("__Host-loop=")
    assert "; secure" in page.headers["set-cookie"].lower()
    assert "loop-auth user add" in html.unescape(page.text)
