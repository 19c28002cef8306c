class BasicOAuth2Payload:
    data: dict[str, str]
    client_id: str | None
    redirect_uri: str | None
    response_type: str | None
    state: str | None

    def __init__(self, payload: dict[str, str]) -> None: ...
