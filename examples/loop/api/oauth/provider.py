"""The rules of OAuth, by Authlib, over one transaction: what it leaves open is closed here."""

from __future__ import annotations

import sqlite3

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer
from starlette.responses import Response

from api.oauth import grants
from api.oauth.access_tokens import TokenGenerator
from api.oauth.clients import Client
from api.oauth.clients import find_client
from api.oauth.clients import mark_used
from api.oauth.flows import CodeGrant
from api.oauth.flows import RefreshGrant
from api.oauth.flows import RequiredCodeChallenge
from api.oauth.grants import Credential
from api.oauth.keys import KeyRing
from api.oauth.messages import WebRequest
from api.oauth.messages import error_reply
from api.oauth.messages import reply
from api.oauth.revocation import Revocation
from api.oauth.scopes import ACCEPTED
from api.oauth.settings import Settings


class InvalidTargetError(OAuth2Error):
    """The ``resource`` is none that tokens are given for (RFC 8707, section 2)."""

    error = "invalid_target"


class Provider(AuthorizationServer):
    """An authorization server for the length of one transaction.

    ``known`` are clients that are not in the database: those with a metadata document.
    """

    def __init__(
        self, settings: Settings, keys: KeyRing, connection: sqlite3.Connection, known: tuple[Client, ...] = ()
    ) -> None:
        super().__init__(scopes_supported=ACCEPTED)
        self.settings = settings
        self.connection = connection
        self.known = {client.id: client for client in known}
        self.register_grant(CodeGrant, [RequiredCodeChallenge(required=True)])
        self.register_grant(RefreshGrant)
        self.register_endpoint(Revocation)
        self.register_token_generator("default", TokenGenerator(settings, keys))

    def query_client(self, client_id: str) -> Client | None:
        """Return the client."""
        return self.known.get(client_id) or find_client(self.connection, client_id)

    def create_oauth2_request(self, request: WebRequest) -> WebRequest:
        """Return the request, which is made already."""
        return request

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens."""

    def save_token(self, token: dict[str, str], request: WebRequest) -> None:
        """Keep the refresh token's hash in the family that it came of."""
        origin: Credential = request.authorization_code or request.refresh_token
        grants.add_refresh_token(
            self.connection, origin.grant_id, token["refresh_token"], self.settings.refresh_token_life
        )
        mark_used(self.connection, origin.client_id)

    def check_resource(self, request: WebRequest) -> None:
        """Raise InvalidTargetError for any other resource than loop-api (RFC 8707, section 2)."""
        if any(resource != self.settings.resource for resource in request.resources):
            raise InvalidTargetError(f"The resource must be {self.settings.resource}.")

    def create_revocation_response(self, request: WebRequest) -> Response:
        """Answer /revoke (RFC 7009, section 2)."""
        response: Response = self.create_endpoint_response(Revocation.ENDPOINT_NAME, request)
        return response

    def handle_response(self, status: int, body: object, headers: list[tuple[str, str]]) -> Response:
        """Return Starlette's response."""
        return reply(status, body, headers)

    def handle_error_response(self, request: WebRequest, error: OAuth2Error) -> Response:
        """Return an error to the client; errors of /authorize never come here."""
        return error_reply(error)
