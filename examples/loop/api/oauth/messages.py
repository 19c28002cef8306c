"""Requests in: parameters read once, strictly and within limits. Replies out: what Authlib answers, for Starlette."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from urllib.parse import parse_qsl

import anyio
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidClientError
from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc6749 import OAuth2Request
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.responses import Response

#: The most that a query or a body may hold, in bytes.
LIMIT = 16 * 1024
#: The longest that a body may take, in seconds.
BODY_TIME = 10

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}

# Characters of RFC 6749, appendix A: printable ASCII; without " and \ in what error texts may quote.
_OPAQUE = re.compile(r"[\x20-\x7e]*")
_QUOTABLE = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*")
_PARAMETERS = {
    **dict.fromkeys(["state", "client_secret", "code", "refresh_token", "token"], _OPAQUE),
    **dict.fromkeys(["client_id", "redirect_uri", "response_type", "grant_type", "scope", "resource"], _QUOTABLE),
    **dict.fromkeys(["code_challenge", "code_challenge_method", "code_verifier", "token_type_hint"], _QUOTABLE),
}


class TooLarge(Exception):
    """The request is larger than LIMIT."""


@dataclass(frozen=True)
class Parameters:
    """The OAuth parameters of a query or form. ``resource`` may be given several times (RFC 8707, section 2)."""

    data: dict[str, str] = field(default_factory=dict)
    resources: tuple[str, ...] = ()


class WebRequest(OAuth2Request):
    """A request as Authlib wants it, under the public URL whatever proxy it came through."""

    def __init__(self, method: str, uri: str, headers: Mapping[str, str], parameters: Parameters) -> None:
        super().__init__(method, uri, headers=headers)
        self.payload = BasicOAuth2Payload(parameters.data)
        self.resources = parameters.resources

    @property
    def args(self) -> dict[str, str]:
        """The parameters."""
        return dict(self.payload.data)

    @property
    def form(self) -> dict[str, str]:
        """The parameters."""
        return dict(self.payload.data)


async def read_body(request: Request) -> bytes:
    """Return the body; raises TooLarge as soon as it is, HTTPException when it does not come in time."""
    body = b""
    try:
        with anyio.fail_after(BODY_TIME):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LIMIT:
                    raise TooLarge
    except ClientDisconnect:
        # Nobody waits for the answer; an empty form gets the shortest.
        return b""
    except TimeoutError as error:
        raise HTTPException(408, "The body did not come in time.", {"Connection": "close"}) from error
    except asyncio.CancelledError as error:
        # The service stops. Nothing was done yet, so the client may ask again.
        raise HTTPException(503, "The service restarts.", {"Retry-After": "5"}) from error
    return body


async def read_form(request: Request) -> Parameters:
    """Return the OAuth parameters of a form, or raise InvalidRequestError."""
    body = await read_body(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise InvalidRequestError("The Content-Type must be application/x-www-form-urlencoded.")
    check_authorization(request)
    return parse(body)


def parse(text: bytes) -> Parameters:
    """Return the OAuth parameters in a query or form, or raise InvalidRequestError (RFC 6749, sections 3.1 and 3.2).

    Unknown parameters are ignored, empty ones count as absent, and so does a blank scope; none may come twice.
    """
    data: dict[str, str] = {}
    resources: list[str] = []
    for name, value in pairs(text):
        allowed = _PARAMETERS.get(name)
        if allowed is None or (name == "scope" and not value.strip()):
            continue
        if not allowed.fullmatch(value):
            raise InvalidRequestError(f"The parameter {name} has characters that it must not have.")
        if name == "resource":
            resources.append(value)
        elif name in data:
            raise InvalidRequestError(f"The parameter {name} is given twice.")
        else:
            data[name] = value
    return Parameters(data, tuple(resources))


def pairs(text: bytes) -> list[tuple[str, str]]:
    """Return the names and values of a query or form, those without a value left out."""
    try:
        return parse_qsl(text.decode("ascii"), errors="strict", max_num_fields=50)
    except ValueError as error:
        raise InvalidRequestError("The parameters are not form-urlencoded UTF-8.") from error


def check_authorization(request: Request) -> None:
    """Raise InvalidClientError for a Basic header that Authlib would stumble over."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return
    try:
        base64.b64decode(token, validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise InvalidClientError("The Authorization header is not Basic.") from error


def read_json(body: bytes) -> dict[str, object]:
    """Return a JSON object, or raise ValueError."""
    try:
        found = json.loads(body)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def reply(status: int, body: object, headers: list[tuple[str, str]]) -> Response:
    """Return a response with what Authlib answers."""
    kept = {name: value for name, value in headers if name.lower() not in ("content-type", "cache-control", "pragma")}
    if isinstance(body, dict):
        return JSONResponse(body, status, headers={**kept, **NO_STORE})
    return Response(str(body), status, headers={**kept, **NO_STORE})


def error_reply(error: OAuth2Error) -> Response:
    """Return an OAuth error as JSON (RFC 6749, section 5.2): 401 for a client, which then registers anew."""
    body = dict(error.get_body())
    if error.error == "invalid_client":
        return reply(401, body, [("WWW-Authenticate", 'Basic realm="loop-auth"')])
    return reply(400, body, [])
