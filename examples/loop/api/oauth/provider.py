"""The rules of OAuth, by Authlib, over one transaction: what it leaves open is closed here."""

from __future__ import annotations

import logging
import sqlite3

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationCodeGrant
from authlib.oauth2.rfc6749 import AuthorizationServer
from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc6749 import RefreshTokenGrant
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from joserfc.jwk import KeySet
from starlette.responses import Response

from api.oauth import grants
from api.oauth.clients import Client
from api.oauth.clients import find_client
from api.oauth.clients import mark_used
from api.oauth.credentials import new_secret
from api.oauth.grants import Credential
from api.oauth.keys import KeyRing
from api.oauth.messages import WebRequest
from api.oauth.messages import error_reply
from api.oauth.messages import reply
from api.oauth.scopes import ACCEPTED
from api.oauth.settings import Settings
from api.oauth.users import User
from api.oauth.users import user_by_id

log = logging.getLogger("loop-auth")

#: How a client may say who it is at /token and /revoke.
AUTH_METHODS = ["none", "client_secret_post", "client_secret_basic"]


class InvalidTargetError(OAuth2Error):
    """The ``resource`` is none that tokens are given for (RFC 8707, section 2)."""

    error = "invalid_target"


class UnsupportedTokenError(OAuth2Error):
    """An access token lives until it expires; it cannot be revoked (RFC 7009, section 2.2.1)."""

    error = "unsupported_token_type"


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


class RequiredCodeChallenge(CodeChallenge):
    """PKCE with S256, asked for before anybody signs in (RFC 7636; OAuth 2.1, section 4.1.1)."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]
    CODE_CHALLENGE_METHODS = {"S256": CodeChallenge.CODE_CHALLENGE_METHODS["S256"]}

    def validate_code_challenge(self, grant: CodeGrant, redirect_uri: str) -> None:
        """Raise InvalidRequestError without an S256 challenge."""
        data = grant.request.payload.data
        if not data.get("code_challenge"):
            raise InvalidRequestError("Missing 'code_challenge': PKCE with S256 is required.")
        if data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("The 'code_challenge_method' must be S256.")
        if len(data["code_challenge"]) != 43:
            raise InvalidRequestError("The 'code_challenge' is no S256 hash.")
        super().validate_code_challenge(grant, redirect_uri)


class CodeGrant(AuthorizationCodeGrant):
    """Codes: a minute long, for one use; a second use revokes what came of the first (RFC 6749, section 4.1.2)."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS
    server: Provider

    def save_authorization_code(self, code: str, request: WebRequest) -> None:
        """Keep the code's hash in a new grant."""
        connection, resource = self.server.connection, self.server.settings.resource
        # What was left out here may be left out at /token too, and nothing else may (RFC 6749, section 4.1.3).
        redirect_uri = request.payload.redirect_uri or ""
        challenge = request.payload.data["code_challenge"]
        grant_id = grants.add_grant(connection, request.client.id, request.user.id, request.scope, resource)
        grants.add_code(connection, grant_id, code, redirect_uri, challenge)

    def validate_token_request(self) -> None:
        """Check the code, its verifier and the resource."""
        super().validate_token_request()
        self.server.check_resource(self.request)

    def query_authorization_code(self, code: str, client: Client) -> Credential | None:
        """Return a code that ``client`` may redeem."""
        return usable(self.server.connection, grants.find_code(self.server.connection, code), client)

    def delete_authorization_code(self, authorization_code: Credential) -> None:
        """Let the code never be redeemed again."""
        grants.use_code(self.server.connection, authorization_code)

    def authenticate_user(self, authorization_code: Credential) -> User | None:
        """Return who allowed it."""
        return user_by_id(self.server.connection, authorization_code.user_id)


class RefreshGrant(RefreshTokenGrant):
    """Refresh tokens: each for one use, the next in its answer (OAuth 2.1, section 4.3.1)."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True
    server: Provider

    def validate_token_request(self) -> None:
        """Check the token, the scope and the resource."""
        super().validate_token_request()
        self.server.check_resource(self.request)

    def authenticate_refresh_token(self, refresh_token: str) -> Credential | None:
        """Return a token that the client may redeem."""
        found = grants.find_refresh_token(self.server.connection, refresh_token)
        return usable(self.server.connection, found, self.request.client)

    def authenticate_user(self, refresh_token: Credential) -> User | None:
        """Return who allowed it."""
        return user_by_id(self.server.connection, refresh_token.user_id)

    def revoke_old_credential(self, refresh_token: Credential) -> None:
        """Let the token never be redeemed again."""
        grants.use_refresh_token(self.server.connection, refresh_token)


class Revocation(RevocationEndpoint):
    """Revocation of refresh tokens, and with one of its whole family (RFC 7009)."""

    CLIENT_AUTH_METHODS = AUTH_METHODS
    server: Provider

    def check_params(self, request: WebRequest, client: Client) -> None:
        """Raise for a request without a token, or with an access token; a hint is only that."""
        token = request.form.get("token", "")
        if not token:
            raise InvalidRequestError("Missing 'token' in request.")
        if token.count(".") == 2:
            raise UnsupportedTokenError("An access token cannot be revoked; revoke its refresh token.")

    def query_token(self, token_string: str, token_type_hint: str | None) -> Credential | None:
        """Return the refresh token."""
        return grants.find_refresh_token(self.server.connection, token_string)

    def revoke_token(self, token: Credential, request: WebRequest) -> None:
        """Revoke the family."""
        grants.revoke(self.server.connection, token.grant_id)
        log.info("The client %s gave its tokens back.", token.client_id)


class TokenGenerator(JWTBearerTokenGenerator):
    """Access tokens: JWTs for loop-api (RFC 9068)."""

    def __init__(self, settings: Settings, keys: KeyRing) -> None:
        super().__init__(
            settings.issuer,
            refresh_token_generator=lambda **_: new_secret(),
            expires_generator=settings.access_token_life,
        )
        self.resource = settings.resource
        self.keys = keys

    def get_jwks(self) -> KeySet:
        """Return the key that signs now, in a set: Authlib names the key in the header only then."""
        return KeySet([self.keys.signing_key()])

    def get_audiences(self, client: Client, user: User, scope: str) -> str:
        """Return the one resource."""
        return self.resource


def usable(connection: sqlite3.Connection, found: Credential | None, client: Client) -> Credential | None:
    """Return a code or refresh token that ``client`` may redeem; revoke its family when it was redeemed before."""
    if found is None or found.client_id != client.id:
        return None
    if found.used:
        grants.revoke(connection, found.grant_id)
        log.warning("The client %s used a code or refresh token twice: all its family is revoked.", client.id)
        return None
    return None if found.expired else found
