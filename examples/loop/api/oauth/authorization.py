"""/authorize: sign in, then allow or deny, each time (RFC 6749, section 3.1; RFC 9207; RFC 9700, section 4).

The request's query stays in the URL from page to page and is checked anew each time, so there is nothing to keep for
someone who only looks. Forms carry a token that the browser's cookie and that query make.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from anyio.to_thread import run_sync
from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AccessDeniedError
from authlib.oauth2.rfc6749 import UnsupportedResponseTypeError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.responses import Response

from api.oauth import redirects
from api.oauth.clients import Client
from api.oauth.credentials import NOBODY
from api.oauth.credentials import check_password
from api.oauth.credentials import digest
from api.oauth.credentials import same
from api.oauth.flows import CodeGrant
from api.oauth.messages import NO_STORE
from api.oauth.messages import WebRequest
from api.oauth.messages import pairs
from api.oauth.messages import read_body
from api.oauth.pages import page
from api.oauth.provider import InvalidTargetError
from api.oauth.provider import Provider
from api.oauth.scopes import MEANING
from api.oauth.scopes import granted_scope
from api.oauth.service import log
from api.oauth.service import service_of
from api.oauth.users import User
from api.oauth.users import find_user
from api.oauth.users import is_known_browser
from api.oauth.users import sign_in
from api.oauth.users import sign_out
from api.oauth.users import signed_in_user
from api.oauth.users import user_names
from api.oauth.visits import Visit
from api.oauth.visits import read_visit
from api.oauth.visits import set_cookie


async def authorize(request: Request) -> Response:
    """Show the page that is due, or do what its form says."""
    service = service_of(request)
    try:
        visit = await run_in_threadpool(read_visit, service, request)
        form = dict(pairs(await read_body(request))) if request.method == "POST" else None
    except OAuth2Error as error:
        return _error_page(error)
    if form is None:
        return await run_in_threadpool(_show, visit)
    if not same(form.get("csrf", ""), visit.csrf):
        return page("error.html", 403, message="This page is too old.", action=visit.action)
    if form.get("action") == "sign-in":
        return await _sign_in(visit, form.get("name", ""), form.get("password", ""))
    return await run_in_threadpool(_decide, visit, form.get("action", ""))


def _show(visit: Visit, status: int = 200, message: str = "", name: str = "") -> Response:
    """Show the sign-in page, or to who is signed in the consent page; ``message`` is about the last try."""
    try:
        with visit.service.provider(*visit.known) as provider:
            grant = _validated(provider, visit.request)
            user = signed_in_user(provider.connection, visit.cookie)
            empty = not user_names(provider.connection)
    except OAuth2Error as error:
        return _answer_error(visit, error)
    values = {"visit": visit, **_client_values(grant)}
    if user is None:
        cancel = _error_location(visit, grant.redirect_uri, _denied(visit, grant))
        response = page("sign_in.html", status, empty=empty, message=message, name=name, cancel=cancel, **values)
    else:
        response = page("consent.html", status, user=user, **values)
    set_cookie(visit.service, response, visit.cookie)
    return response


async def _sign_in(visit: Visit, name: str, password: str) -> Response:
    service = visit.service
    user, known = await run_in_threadpool(_user_and_browser, visit, name)
    tries = (known, visit.address, name[:32])
    if wait := service.sign_ins.take(*tries):
        message = f"Too many wrong passwords. Try again in {-(-wait // 60)} minutes."
        response = await run_in_threadpool(_show, visit, 429, message, name)
        response.headers["Retry-After"] = str(wait)
        return response
    stored = NOBODY if user is None else user.password
    right = await run_sync(check_password, password, stored, limiter=service.hashing)
    if user is None or not right:
        log.warning("A sign-in from %s failed.", visit.address)
        return await run_in_threadpool(_show, visit, 403, "The name or the password is wrong.", name)
    service.sign_ins.give_back(*tries)
    return await run_in_threadpool(_signed_in, visit, user)


def _user_and_browser(visit: Visit, name: str) -> tuple[User | None, str]:
    """Return who is called ``name``, and what the browser is counted by if that user has signed in in it before."""
    with visit.service.database.transaction() as connection:
        known = is_known_browser(connection, visit.cookie, name)
        return find_user(connection, name), digest(visit.cookie) if known else ""


def _signed_in(visit: Visit, user: User) -> Response:
    with visit.service.database.transaction() as connection:
        if find_user(connection, user.name) != user:
            # Removed, or given another password, while this one was checked.
            return _seen_other(visit.action)
        cookie = sign_in(connection, user, visit.cookie)
    log.info("%s signed in from %s.", user.name, visit.address)
    response = _seen_other(visit.action)
    set_cookie(visit.service, response, cookie)
    return response


def _decide(visit: Visit, action: str) -> Response:
    """Allow, deny, or sign out; anything else shows the page again."""
    try:
        with visit.service.provider(*visit.known) as provider:
            grant = _validated(provider, visit.request)
            user = signed_in_user(provider.connection, visit.cookie)
            if action == "sign-out":
                sign_out(provider.connection, visit.cookie)
            elif action == "deny" or (action == "allow" and user is not None):
                return _answer(visit, grant, user if action == "allow" else None)
    except OAuth2Error as error:
        return _answer_error(visit, error)
    return _seen_other(visit.action)


def _validated(provider: Provider, request: WebRequest) -> CodeGrant:
    """Return the grant that is asked for, or raise OAuth2Error, with a redirect URI once that is known to be right."""
    try:
        grant: CodeGrant = provider.get_consent_grant(request)
    except UnsupportedResponseTypeError as error:
        if request.payload.response_type is None:
            error.error = "invalid_request"
        raise
    try:
        provider.check_resource(request)
    except InvalidTargetError as error:
        error.redirect_uri, error.state = grant.redirect_uri, request.payload.state
        raise
    return grant


def _answer(visit: Visit, grant: CodeGrant, user: User | None) -> Response:
    """Send the browser back with a code, or raise AccessDeniedError without a user."""
    if user is None:
        raise _denied(visit, grant)
    _, _, headers = grant.create_authorization_response(grant.redirect_uri, user)
    log.info("%s allowed the client %s: %s.", user.name, grant.client.id, grant.request.scope)
    return _seen_other(_from_here(visit, dict(headers)["Location"]))


def _denied(visit: Visit, grant: CodeGrant) -> AccessDeniedError:
    return AccessDeniedError(redirect_uri=grant.redirect_uri, state=visit.request.payload.state)


def _answer_error(visit: Visit, error: OAuth2Error) -> Response:
    """Send an error back to the client, or show it when the client or its redirect URI is wrong."""
    if not error.redirect_uri:
        return _error_page(error)
    return _seen_other(_error_location(visit, error.redirect_uri, error))


def _error_location(visit: Visit, redirect_uri: str, error: OAuth2Error) -> str:
    """Return the client's address with an error."""
    return _from_here(visit, add_params_to_uri(redirect_uri, error.get_body()))


def _from_here(visit: Visit, location: str) -> str:
    """Return the client's address with who sends the browser there (RFC 9207, section 2)."""
    return add_params_to_uri(location, [("iss", visit.service.settings.issuer)])


def _seen_other(location: str) -> Response:
    # 303: a form's body with a password in it must not follow (RFC 9700, section 4.12).
    return RedirectResponse(location, 303, headers={**NO_STORE, "Referrer-Policy": "no-referrer"})


def _error_page(error: OAuth2Error) -> Response:
    if error.error == "invalid_client":
        return page("error.html", 400, message="This app is not registered here, or no more.", action="")
    return page("error.html", 400, message=error.get_error_description() or "The request is not valid.", action="")


def _client_values(grant: CodeGrant) -> dict[str, object]:
    client: Client = grant.client
    scopes = granted_scope(grant.request.scope).split()
    return {
        "client": client.name or "An app without a name",
        "client_host": urlsplit(client.id).hostname if client.id.startswith("https://") else "",
        "redirect_host": redirects.host_of(grant.redirect_uri),
        "loopback": redirects.is_loopback(grant.redirect_uri),
        "allowed": [MEANING[scope] for scope in scopes],
    }
