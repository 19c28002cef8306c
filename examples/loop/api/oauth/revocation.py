"""The rules of /revoke (RFC 7009)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7009 import RevocationEndpoint

from api.oauth import grants
from api.oauth.clients import AUTH_METHODS
from api.oauth.clients import Client
from api.oauth.grants import Credential
from api.oauth.messages import WebRequest

if TYPE_CHECKING:
    from api.oauth.provider import Provider

log = logging.getLogger("loop-auth")


class UnsupportedTokenError(OAuth2Error):
    """An access token lives until it expires; it cannot be revoked (RFC 7009, section 2.2.1)."""

    error = "unsupported_token_type"


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
