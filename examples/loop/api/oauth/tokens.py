"""/token and /revoke (RFC 6749, section 3.2; RFC 7009)."""

from __future__ import annotations

from collections.abc import Callable

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.oauth.messages import WebRequest
from api.oauth.messages import error_reply
from api.oauth.messages import read_form
from api.oauth.provider import Provider
from api.oauth.service import Service
from api.oauth.service import service_of

Answer = Callable[[Provider, WebRequest], Response]


async def token(request: Request) -> Response:
    """Give tokens for a code or a refresh token."""
    return await _answer(request, Provider.create_token_response)


async def revoke(request: Request) -> Response:
    """Revoke a refresh token with its family."""
    return await _answer(request, Provider.create_revocation_response)


async def _answer(request: Request, answer: Answer) -> Response:
    try:
        parameters = await read_form(request)
    except OAuth2Error as error:
        return error_reply(error)
    service = service_of(request)
    uri = f"{service.settings.issuer}{request.url.path}"
    if request.url.path == "/token" and not parameters.data.get("grant_type"):
        return error_reply(InvalidRequestError("Missing 'grant_type' in request."))
    oauth_request = WebRequest(request.method, uri, request.headers, parameters)
    return await run_in_threadpool(_in_transaction, service, oauth_request, answer)


def _in_transaction(service: Service, request: WebRequest, answer: Answer) -> Response:
    known = service.client_document(request.payload.client_id or "")
    # An error that Authlib answers ends the transaction well: what a replay revokes stays revoked.
    with service.provider(*known) as provider:
        response: Response = answer(provider, request)
        return response
