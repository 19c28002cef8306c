"""What anyone may know: metadata (RFC 8414), public keys (RFC 7517) and health."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.responses import Response

from api.oauth.clients import AUTH_METHODS
from api.oauth.scopes import MEANING
from api.oauth.service import service_of

#: How long others may keep the metadata and the keys, in seconds; well under the head start of a new key.
CACHED = {"Cache-Control": "public, max-age=300"}


def metadata(request: Request) -> Response:
    """Return the authorization server's metadata."""
    settings = service_of(request).settings
    document: dict[str, object] = {
        # Clients compare it with the URL they built this request from, byte for byte (RFC 8414, section 3.3).
        "issuer": settings.issuer,
        "authorization_endpoint": f"{settings.issuer}/authorize",
        "token_endpoint": f"{settings.issuer}/token",
        "registration_endpoint": f"{settings.issuer}/register",
        "revocation_endpoint": f"{settings.issuer}/revoke",
        "jwks_uri": f"{settings.issuer}/.well-known/jwks.json",
        "scopes_supported": list(MEANING),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": AUTH_METHODS,
        "revocation_endpoint_auth_methods_supported": AUTH_METHODS,
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }
    if settings.client_documents:
        document["client_id_metadata_document_supported"] = True
    return JSONResponse(document, headers=CACHED)


def jwks(request: Request) -> Response:
    """Return the public keys with which tokens are verified, those of the next and of the last rotation too."""
    return JSONResponse(service_of(request).keys.public_keys(), headers=CACHED)


def health(request: Request) -> Response:
    """Say that the process is alive (200 whatever else is wrong) and whether database and keys are usable."""
    service = service_of(request)
    database = service.database.check()
    keys = service.keys.check()
    status = "ok" if database == keys == "ok" else "degraded"
    return JSONResponse({"status": status, "service": "loop-auth", "database": database, "keys": keys})
