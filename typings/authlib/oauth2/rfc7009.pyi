from typing import Any

class RevocationEndpoint:
    ENDPOINT_NAME: str
    CLIENT_AUTH_METHODS: list[str]
    server: Any

    def check_params(self, request: Any, client: Any) -> None: ...
    def query_token(self, token_string: str, token_type_hint: str | None) -> object: ...
    def revoke_token(self, token: Any, request: Any) -> None: ...
