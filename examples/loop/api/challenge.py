"""The answers to who may not: 401, 403 and 503, with what a client needs to do better (RFC 6750, RFC 9728)."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import JSONResponse

from api.scopes import DEFAULT
from api.scopes import READ

METADATA_PATH = "/.well-known/oauth-protected-resource"
RETRY_AFTER_SECONDS = 5


class Challenger:
    """Makes the challenges of the resource whose metadata stand below ``issuer``."""

    def __init__(self, issuer: str):
        self._metadata = f"{issuer}{METADATA_PATH}/mcp"

    def sign_in(self) -> JSONResponse:
        """Ask for a token; where none was sent the challenge carries no error code (RFC 6750 section 3.1)."""
        challenge = self._challenge(DEFAULT)
        return _answer(401, "unauthorized", "Sign in first: send a Bearer token.", challenge)

    def invalid_token(self, reason: str) -> JSONResponse:
        """Ask for another token, because of ``reason``."""
        challenge = self._challenge(DEFAULT, "invalid_token", reason)
        return _answer(401, "invalid_token", f"{reason}; sign in again.", challenge)

    def invalid_request(self, reason: str) -> JSONResponse:
        """Refuse a request of which cannot be told which token it means."""
        return _answer(400, "invalid_request", reason, self._challenge(DEFAULT, "invalid_request", reason))

    def insufficient_scope(self, granted: Iterable[str], missing: str) -> JSONResponse:
        """Ask for a token that allows ``missing`` besides what was granted."""
        reason = f"This needs the scope {missing}"
        challenge = self._challenge([*granted, READ, missing], "insufficient_scope", reason)
        return _answer(403, "insufficient_scope", f"{reason}; sign in again and grant it.", challenge)

    def no_keys(self) -> JSONResponse:
        """Ask for patience: a 401 would send every client to sign in at a server that does not answer."""
        reason = "The sign-in service's keys are not known yet; try again in a moment."
        return _answer(503, "temporarily_unavailable", reason, {"Retry-After": str(RETRY_AFTER_SECONDS)})

    def _challenge(self, scopes: Iterable[str], error: str = "", reason: str = "") -> dict[str, str]:
        parts = [f'error="{error}"', f'error_description="{reason}"'] if error else []
        parts += [f'scope="{" ".join(dict.fromkeys(scopes))}"', f'resource_metadata="{self._metadata}"']
        return {"WWW-Authenticate": "Bearer " + ", ".join(parts)}


def _answer(status: int, error: str, description: str, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse({"error": error, "error_description": description}, status, headers)
