class OAuth2Error(Exception):
    error: str
    redirect_uri: str | None
    state: str | None

    def __init__(
        self,
        description: str | None = None,
        uri: str | None = None,
        status_code: int | None = None,
        state: str | None = None,
        redirect_uri: str | None = None,
    ) -> None: ...
    def get_error_description(self) -> str | None: ...
    def get_body(self) -> list[tuple[str, str]]: ...
