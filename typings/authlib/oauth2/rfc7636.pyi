from collections.abc import Callable
from typing import Any

class CodeChallenge:
    SUPPORTED_CODE_CHALLENGE_METHOD: list[str]
    CODE_CHALLENGE_METHODS: dict[str, Callable[[str, str], bool]]

    def __init__(self, required: bool = True) -> None: ...
    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None: ...
