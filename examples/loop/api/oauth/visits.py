"""A browser at /authorize: what it asks for, and the one cookie by which it is known."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from authlib.oauth2.rfc6749 import InvalidRequestError
from starlette.requests import Request
from starlette.responses import Response

from api.oauth.client_documents import DocumentError
from api.oauth.clients import Client
from api.oauth.credentials import new_secret
from api.oauth.limits import client_address
from api.oauth.messages import LIMIT
from api.oauth.messages import WebRequest
from api.oauth.messages import parse
from api.oauth.service import Service
from api.oauth.users import KNOWN

_COOKIE = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Visit:
    """One request of a browser: what it asks for, and who it is."""

    service: Service
    query: str
    cookie: str
    address: str
    request: WebRequest
    known: tuple[Client, ...]

    @property
    def csrf(self) -> str:
        """The token that a form must send back: only pages of this browser, for this query, have it."""
        return hmac.new(self.cookie.encode(), self.query.encode(), hashlib.sha256).hexdigest()

    @property
    def action(self) -> str:
        """Where forms are sent to, and where a page is shown again."""
        return f"/authorize?{self.query}"


def read_visit(service: Service, request: Request) -> Visit:
    """Return what the browser asks for, or raise OAuth2Error."""
    query: bytes = request.scope["query_string"]
    if len(query) > LIMIT:
        raise InvalidRequestError("The request is too long.")
    parameters = parse(query)
    address = client_address(request)
    try:
        known = service.client_document(parameters.data.get("client_id", ""), address)
    except DocumentError as error:
        raise InvalidRequestError(str(error)) from error
    return Visit(
        service=service,
        query=query.decode("ascii"),
        cookie=_cookie(service, request.cookies) or new_secret(),
        address=address,
        request=WebRequest("GET", f"{service.settings.issuer}/authorize", request.headers, parameters),
        known=known,
    )


def set_cookie(service: Service, response: Response, cookie: str) -> None:
    """Let the browser keep the cookie."""
    # Lax: a client leads here from its own site, and who is signed in is to be known then.
    response.set_cookie(
        _cookie_name(service), cookie, max_age=KNOWN, secure=service.settings.secure, httponly=True, samesite="lax"
    )


def _cookie_name(service: Service) -> str:
    # The prefix keeps neighbours on other subdomains and plain http from setting it; browsers want https for it.
    return "__Host-loop" if service.settings.secure else "loop"


def _cookie(service: Service, cookies: Mapping[str, str]) -> str:
    cookie = cookies.get(_cookie_name(service), "")
    return cookie if _COOKIE.fullmatch(cookie) else ""
