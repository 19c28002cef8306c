"""Judge an access token (RFC 9068 section 4): who signed it, for whom, until when."""

from __future__ import annotations

import base64
import json
from typing import Any

from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.errors import ClaimError
from joserfc.errors import ExpiredTokenError
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry
from mcp.server.auth.provider import AccessToken

from api.jwks import Keys

ALGORITHM = "RS256"
TYPES = ("at+jwt", "application/at+jwt")
LEEWAY_SECONDS = 30
MAX_TOKEN_BYTES = 8192


class InvalidToken(Exception):
    """The token is not accepted; the message tells the client why (RFC 6750 section 3.1)."""


class TokenVerifier:
    """Accepts what ``issuer`` signed for ``resource`` with one of ``keys``."""

    def __init__(self, keys: Keys, issuer: str, resource: str):
        self._keys = keys
        self._issuer = issuer
        self._resource = resource
        self._claims = JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": resource},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            client_id={"essential": True},
            jti={"essential": True},
        )

    async def verify(self, token: str) -> AccessToken:
        """Return what ``token`` allows; raises InvalidToken, or KeysUnavailable when nothing can be judged."""
        header = _header(token)
        if header.get("alg") != ALGORITHM:
            raise InvalidToken(f"The token is not signed with {ALGORITHM}")
        if str(header.get("typ", "")).lower() not in TYPES:
            raise InvalidToken("The token is no access token (typ at+jwt)")
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise InvalidToken("The token does not name its key")
        # Only our own keys: a key in the token's header (jwk, jku, x5c) is the token's own word.
        key = await self._keys.key(kid)
        if key is None:
            raise InvalidToken("The token is signed with an unknown key")
        try:
            claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
            self._claims.validate(claims)
        except (JoseError, ValueError, RecursionError) as error:
            raise InvalidToken(_reason(error)) from error
        return self._access(token, claims)

    def _access(self, token: str, claims: dict[str, Any]) -> AccessToken:
        client, scope = claims["client_id"], claims.get("scope", "")
        if not isinstance(client, str) or not isinstance(scope, str):
            raise InvalidToken("The token's client_id or scope is no text")
        return AccessToken(
            token=token,
            client_id=client,
            scopes=scope.split(),
            expires_at=int(claims["exp"]),
            resource=self._resource,
            subject=claims["sub"],
            claims={"iss": self._issuer},
        )


def _header(token: str) -> dict[str, Any]:
    """Return the token's header, not to be believed before the signature was checked."""
    if len(token) > MAX_TOKEN_BYTES:
        raise InvalidToken("The token is too long")
    segments = token.split(".")
    try:
        if len(segments) != 3:
            raise ValueError("not three parts")
        header = json.loads(base64.b64decode(segments[0] + "=" * (-len(segments[0]) % 4), b"-_", validate=True))
    except (ValueError, RecursionError) as error:
        raise InvalidToken("The token is malformed") from error
    if not isinstance(header, dict):
        raise InvalidToken("The token is malformed")
    return header


def _reason(error: Exception) -> str:
    """Say why in few words; a claim's name is ours or joserfc's, nothing that the token says is repeated."""
    if isinstance(error, ExpiredTokenError):
        return "The token expired"
    if isinstance(error, ClaimError):
        return f"The token's {error.claim} is wrong or missing"
    if isinstance(error, BadSignatureError):
        return "The token's signature is wrong"
    return "The token is malformed"
