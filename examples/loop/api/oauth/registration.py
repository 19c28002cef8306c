"""/register: clients register themselves (RFC 7591), within the rules of redirects.py."""

from __future__ import annotations

import time
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from api.oauth import redirects
from api.oauth.clients import AUTH_METHODS
from api.oauth.clients import UNTOUCHED
from api.oauth.clients import Client
from api.oauth.clients import TooManyClients
from api.oauth.clients import add_client
from api.oauth.clients import prune_clients
from api.oauth.clients import readable_name
from api.oauth.credentials import new_secret
from api.oauth.limits import client_address
from api.oauth.messages import read_body
from api.oauth.messages import read_json
from api.oauth.messages import reply
from api.oauth.scopes import MEANING
from api.oauth.service import Service
from api.oauth.service import log
from api.oauth.service import service_of

#: The most redirect URIs of one client.
MOST_URIS = 10


@dataclass(frozen=True)
class Wanted:
    """What a client may ask for."""

    name: str
    redirect_uris: list[str]
    auth_method: str


class MetadataError(Exception):
    """The client's metadata is refused; the code is one of RFC 7591, section 3.2.2."""

    def __init__(self, description: str, code: str = "invalid_client_metadata") -> None:
        super().__init__(description)
        self.code = code


async def register(request: Request) -> Response:
    """Register a client."""
    service = service_of(request)
    try:
        wanted = _wanted(await read_body(request))
        if wait := service.registrations.take(client_address(request)):
            return _refusal(429, "temporarily_unavailable", "Too many registrations; try again later.", wait)
        return await run_in_threadpool(_register, service, wanted)
    except MetadataError as error:
        return _refusal(400, error.code, str(error))
    except TooManyClients:
        return _refusal(429, "temporarily_unavailable", "Too many clients wait for their first token.", UNTOUCHED)


def _wanted(body: bytes) -> Wanted:
    """Return what a client asks to be registered with, or raise MetadataError."""
    try:
        metadata = read_json(body)
    except ValueError as error:
        raise MetadataError("The body must be a JSON object.") from error
    _check_uses(metadata)
    return Wanted(_name(metadata), _redirect_uris(metadata), _auth_method(metadata))


def _register(service: Service, wanted: Wanted) -> Response:
    secret = None if wanted.auth_method == "none" else new_secret()
    with service.database.transaction() as connection:
        prune_clients(connection, service.settings.refresh_token_life)
        client = add_client(connection, wanted.name, wanted.redirect_uris, wanted.auth_method, secret)
    log.info("The client %s is registered, for %s.", client.id, redirects.host_of(client.redirect_uris[0]))
    return reply(201, _information(client, secret), [])


def _information(client: Client, secret: str | None) -> dict[str, object]:
    """Return what is registered, which may differ from what was asked for (RFC 7591, section 3.2.1)."""
    information: dict[str, object] = {
        "client_id": client.id,
        "client_id_issued_at": int(time.time()),
        "redirect_uris": list(client.redirect_uris),
        "token_endpoint_auth_method": client.auth_method,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        # Every client may ask for any scope; the user decides each time.
        "scope": " ".join(MEANING),
    }
    if client.name:
        information["client_name"] = client.name
    if secret is not None:
        information |= {"client_secret": secret, "client_secret_expires_at": 0}
    return information


def _name(metadata: dict[str, object]) -> str:
    name = metadata.get("client_name", "")
    if not isinstance(name, str):
        raise MetadataError("client_name must be a string.")
    return readable_name(name)


def _redirect_uris(metadata: dict[str, object]) -> list[str]:
    uris = _strings(metadata, "redirect_uris")
    if not uris or len(uris) > MOST_URIS:
        raise MetadataError(f"redirect_uris must be a list of 1 to {MOST_URIS} URIs.", "invalid_redirect_uri")
    if not all(redirects.is_allowed(uri) for uri in uris):
        hosts = ", ".join(sorted(redirects.HOSTS))
        raise MetadataError(f"Redirect URIs must be https on {hosts}, or http on loopback.", "invalid_redirect_uri")
    return uris


def _auth_method(metadata: dict[str, object]) -> str:
    method = metadata.get("token_endpoint_auth_method", "client_secret_basic")
    if not isinstance(method, str) or method not in AUTH_METHODS:
        raise MetadataError(f"token_endpoint_auth_method must be one of {', '.join(AUTH_METHODS)}.")
    return method


def _check_uses(metadata: dict[str, object]) -> None:
    if "authorization_code" not in (_strings(metadata, "grant_types") or ["authorization_code"]):
        raise MetadataError("grant_types must have authorization_code.")
    if "code" not in (_strings(metadata, "response_types") or ["code"]):
        raise MetadataError("response_types must have code.")
    if not isinstance(metadata.get("scope", ""), str):
        raise MetadataError("scope must be a string.")


def _strings(metadata: dict[str, object], name: str) -> list[str]:
    value = metadata.get(name, [])
    code = "invalid_redirect_uri" if name == "redirect_uris" else "invalid_client_metadata"
    if not isinstance(value, list):
        raise MetadataError(f"{name} must be a list of strings.", code)
    strings = [item for item in value if isinstance(item, str)]
    if len(strings) != len(value):
        raise MetadataError(f"{name} must be a list of strings.", code)
    return strings


def _refusal(status: int, error: str, description: str, wait: int = 0) -> Response:
    headers = [("Retry-After", str(wait))] if wait else []
    return reply(status, {"error": error, "error_description": description}, headers)
