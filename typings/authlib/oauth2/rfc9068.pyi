from collections.abc import Callable
from typing import Any

class JWTBearerTokenGenerator:
    def __init__(
        self,
        issuer: str,
        alg: str = "RS256",
        refresh_token_generator: Callable[..., str] | None = None,
        expires_generator: int | None = None,
    ) -> None: ...
    def __call__(
        self,
        grant_type: str,
        client: Any,
        user: Any = None,
        scope: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = True,
    ) -> dict[str, Any]: ...
    @staticmethod
    def get_allowed_scope(client: Any, scope: Any) -> str: ...
    def get_jwks(self) -> object: ...
    def get_audiences(self, client: Any, user: Any, scope: str) -> str | list[str]: ...
