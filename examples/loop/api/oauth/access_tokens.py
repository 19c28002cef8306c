"""Access tokens: JWTs for loop-api (RFC 9068)."""

from __future__ import annotations

from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from joserfc.jwk import KeySet

from api.oauth.clients import Client
from api.oauth.credentials import new_secret
from api.oauth.keys import KeyRing
from api.oauth.settings import Settings
from api.oauth.users import User


class TokenGenerator(JWTBearerTokenGenerator):
    """Makes an access token, and the refresh token that goes with it."""

    def __init__(self, settings: Settings, keys: KeyRing) -> None:
        super().__init__(
            settings.issuer,
            refresh_token_generator=lambda **_: new_secret(),
            expires_generator=settings.access_token_life,
        )
        self.resource = settings.resource
        self.keys = keys

    @staticmethod
    def get_allowed_scope(client: Client, scope: str) -> str:
        """Return the scope as it is: a grant holds what was allowed, and a default here would widen it."""
        return scope

    def get_jwks(self) -> KeySet:
        """Return the key that signs now, in a set: Authlib names the key in the header only then."""
        return KeySet([self.keys.signing_key()])

    def get_audiences(self, client: Client, user: User, scope: str) -> str:
        """Return the one resource."""
        return self.resource
