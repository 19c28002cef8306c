"""An OAuth client with a person in front of it: registers, signs in, allows, and redeems, all over HTTP."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from urllib.parse import parse_qs
from urllib.parse import urlencode
from urllib.parse import urlsplit

import httpx

REDIRECT_URI = "http://127.0.0.1:6276/oauth/callback"


@dataclass(frozen=True)
class Pkce:
    """A verifier and its S256 challenge (RFC 7636)."""

    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """The challenge."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


@dataclass
class Browser:
    """A browser with the service's one cookie, also a Secure one when the service is reached without its proxy."""

    http: httpx.Client
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, url: str) -> httpx.Response:
        """Open a page."""
        return self._keep(self.http.get(url, headers=self._headers()))

    def press(self, page: httpx.Response, action: str, **fields: str) -> httpx.Response:
        """Fill the fields of the form on ``page`` and press the button ``action``."""
        target = html.unescape(_one(r'<form method="post" action="([^"]+)"', page.text))
        form = {"csrf": _one(r'name="csrf" value="([^"]+)"', page.text), "action": action, **fields}
        return self._keep(self.http.post(page.url.join(target), data=form, headers=self._headers()))

    def sign_in(self, url: str, name: str, password: str) -> httpx.Response:
        """Sign in on the page at ``url`` and return the consent page, or what comes in its place."""
        answer = self.press(self.get(url), "sign-in", name=name, password=password)
        return self.get(str(answer.url.join(answer.headers["location"]))) if answer.is_redirect else answer

    def decide(self, url: str, name: str, password: str, action: str = "allow") -> httpx.Response:
        """Press a button on the consent page at ``url``, after signing in where that is needed."""
        page = self.get(url)
        if f"Signed in as <strong>{name}</strong>" not in page.text:
            page = self.sign_in(url, name, password)
        return self.press(page, action)

    def _headers(self) -> dict[str, str]:
        return {**self.headers, **({"Cookie": self.cookie} if self.cookie else {})}

    def _keep(self, response: httpx.Response) -> httpx.Response:
        if cookie := response.headers.get("set-cookie"):
            self.cookie = cookie.partition(";")[0]
        # Kept here alone: the client's own jar follows the rules for Secure.
        self.http.cookies.clear()
        return response


@dataclass
class OAuthClient:
    """A client of the authorization server at ``issuer``, which is reached at ``base`` when that is not the same."""

    issuer: str
    http: httpx.Client
    base: str = ""
    client_id: str = ""
    client_secret: str = ""
    redirect_uri: str = REDIRECT_URI
    headers: dict[str, str] = field(default_factory=dict)
    #: A browser in which somebody may be signed in already; without one each code is for a new browser.
    person: Browser | None = None

    @property
    def resource(self) -> str:
        """The MCP server."""
        return f"{self.issuer}/mcp"

    def url(self, path: str) -> str:
        """Return where ``path`` is reached."""
        return (self.base or self.issuer) + path

    def register(self, **metadata: object) -> httpx.Response:
        """Register (RFC 7591), by default as a public client with one redirect URI, and keep what is answered."""
        body = {
            "client_name": "Practice client",
            "redirect_uris": [self.redirect_uri],
            "token_endpoint_auth_method": "none",
            **metadata,
        }
        response = self.http.post(self.url("/register"), json=body, headers=self.headers)
        if response.status_code == 201:
            self.client_id = response.json()["client_id"]
            self.client_secret = response.json().get("client_secret", "")
        return response

    def authorize_url(self, pkce: Pkce, **changes: str | None) -> str:
        """Return the URL of an authorization request; None leaves a parameter out."""
        parameters: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "code_challenge": pkce.challenge,
            "code_challenge_method": "S256",
            "state": "practice-state",
            "resource": self.resource,
            **changes,
        }
        given = {name: value for name, value in parameters.items() if value is not None}
        return self.url("/authorize?") + urlencode(given)

    def browser(self) -> Browser:
        """Return a new browser."""
        return Browser(self.http, headers=self.headers)

    def code(self, name: str, password: str, pkce: Pkce, **changes: str | None) -> str:
        """Sign in where that is needed, allow, and return the code."""
        browser = self.person or self.browser()
        return redirected(browser.decide(self.authorize_url(pkce, **changes), name, password))["code"]

    def redeem(self, code: str, pkce: Pkce, **changes: str | None) -> httpx.Response:
        """Ask for tokens for a code."""
        parameters: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": pkce.verifier,
            "redirect_uri": self.redirect_uri,
            "resource": self.resource,
            **changes,
        }
        return self.token(**parameters)

    def refresh(self, refresh_token: str, **changes: str | None) -> httpx.Response:
        """Ask for the next tokens."""
        return self.token(grant_type="refresh_token", refresh_token=refresh_token, **changes)

    def token(self, **parameters: str | None) -> httpx.Response:
        """Send a request to /token; None leaves a parameter out."""
        return self.post("/token", **parameters)

    def post(self, path: str, **parameters: str | None) -> httpx.Response:
        """Send a form as this client."""
        form = {"client_id": self.client_id, "client_secret": self.client_secret or None, **parameters}
        data = {name: value for name, value in form.items() if value is not None}
        return self.http.post(self.url(path), data=data, headers=self.headers)

    def connect(self, name: str, password: str, **changes: str | None) -> dict[str, Any]:
        """Do all of it and return the tokens."""
        if not self.client_id:
            self.register().raise_for_status()
        pkce = Pkce()
        response = self.redeem(self.code(name, password, pkce, **changes), pkce)
        response.raise_for_status()
        tokens: dict[str, Any] = response.json()
        return tokens


def redirected(response: httpx.Response) -> dict[str, str]:
    """Return the parameters that a redirect to the client carries."""
    assert response.status_code == 303, f"{response.status_code}: {response.text}"
    query = parse_qs(urlsplit(response.headers["location"]).query, strict_parsing=True)
    assert all(len(values) == 1 for values in query.values()), query
    return {name: values[0] for name, values in query.items()}


def _one(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found is not None, f"{pattern} is not on the page: {text}"
    return found[1]
