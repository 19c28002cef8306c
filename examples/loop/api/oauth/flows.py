"""The two ways to tokens: by a code, and by a refresh token."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from authlib.oauth2.rfc6749 import AuthorizationCodeGrant
from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc6749 import RefreshTokenGrant
from authlib.oauth2.rfc7636 import CodeChallenge

from api.oauth import grants
from api.oauth.clients import AUTH_METHODS
from api.oauth.clients import Client
from api.oauth.grants import Credential
from api.oauth.messages import WebRequest
from api.oauth.scopes import refreshed_scope
from api.oauth.users import User
from api.oauth.users import user_by_id

if TYPE_CHECKING:
    from api.oauth.provider import Provider

log = logging.getLogger("loop-auth")


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
    request: WebRequest
    server: Provider

    @staticmethod
    def validate_authorization_redirect_uri(request: WebRequest, client: Client) -> str:
        """Return where to send the browser back; the page about a wrong URI does not repeat what a stranger wrote."""
        asked = request.payload.redirect_uri
        if asked and not client.check_redirect_uri(asked):
            raise InvalidRequestError("This app is not registered for the address that it wants to send you to.")
        return AuthorizationCodeGrant.validate_authorization_redirect_uri(request, client)

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
        return usable(self.server, grants.find_code(self.server.connection, code), client)

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
    request: WebRequest
    server: Provider

    def validate_token_request(self) -> None:
        """Check the token, the scope and the resource."""
        data = self.request.payload.data
        # Some clients repeat all that they asked for at first, also what no grant holds.
        data["scope"] = refreshed_scope(data.get("scope"))
        super().validate_token_request()
        self.server.check_resource(self.request)

    def authenticate_refresh_token(self, refresh_token: str) -> Credential | None:
        """Return a token that the client may redeem."""
        found = grants.find_refresh_token(self.server.connection, refresh_token)
        return usable(self.server, found, self.request.client)

    def authenticate_user(self, refresh_token: Credential) -> User | None:
        """Return who allowed it."""
        return user_by_id(self.server.connection, refresh_token.user_id)

    def revoke_old_credential(self, refresh_token: Credential) -> None:
        """Let the token never be redeemed again."""
        grants.use_refresh_token(self.server.connection, refresh_token)


def usable(server: Provider, found: Credential | None, client: Client) -> Credential | None:
    """Return a code or refresh token that ``client`` may redeem; revoke its family when it was redeemed before.

    One that was given for another resource, under another OAUTH_ISSUER, gives nothing here (RFC 8707, section 2).
    """
    if found is None or found.client_id != client.id:
        return None
    if found.used:
        grants.revoke(server.connection, found.grant_id)
        log.warning("The client %s used a code or refresh token twice: all its family is revoked.", client.id)
        return None
    return None if found.expired or found.resource != server.settings.resource else found
