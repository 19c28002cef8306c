"""The environment, and the sentence that a wrong one gets."""

from __future__ import annotations

import pytest
from api.oauth.settings import read_settings

GOOD = {
    "OAUTH_ISSUER": "https://mcp.example.com",
    "OAUTH_DB_PATH": "/data/oauth.db",
    "OAUTH_KEYS_DIR": "/data/keys",
    "TOKEN_EXPIRE_HOURS": "720",
}


def test_the_contract_is_enough() -> None:
    """Durations follow from TOKEN_EXPIRE_HOURS; documents are off."""
    settings = read_settings(GOOD)
    assert settings.resource == "https://mcp.example.com/mcp"
    assert settings.access_token_life == 720 * 3600
    assert settings.refresh_token_life == 3 * 720 * 3600
    assert not settings.client_documents
    assert read_settings({**GOOD, "TOKEN_EXPIRE_HOURS": "1"}).refresh_token_life == 30 * 86400
    assert read_settings({**GOOD, "OAUTH_ISSUER": "http://127.0.0.1:8083"}).resource == "http://127.0.0.1:8083/mcp"


@pytest.mark.parametrize(
    "changes",
    [
        {"OAUTH_ISSUER": ""},
        {"OAUTH_ISSUER": "https://mcp.example.com/"},
        {"OAUTH_ISSUER": "https://mcp.example.com/path"},
        {"OAUTH_ISSUER": "https://mcp.example.com?x"},
        {"OAUTH_ISSUER": "https://MCP.example.com"},
        {"OAUTH_ISSUER": "https://user@mcp.example.com"},
        {"OAUTH_ISSUER": "https://mcp.example.com:x"},
        {"OAUTH_ISSUER": "http://mcp.example.com"},
        {"OAUTH_ISSUER": "mcp.example.com"},
        {"OAUTH_ISSUER": "https://[::1"},
        {"OAUTH_DB_PATH": ""},
        {"OAUTH_KEYS_DIR": ""},
        {"TOKEN_EXPIRE_HOURS": "0"},
        {"TOKEN_EXPIRE_HOURS": "1.5"},
        {"TOKEN_EXPIRE_HOURS": "-1"},
        {"TOKEN_EXPIRE_HOURS": "9999999"},
        {"TOKEN_EXPIRE_HOURS": "²"},
        {"OAUTH_CLIENT_ID_METADATA_DOCUMENTS": "yes"},
    ],
)
def test_a_wrong_variable_is_named_with_what_to_set(changes: dict[str, str]) -> None:
    """One sentence, no traceback."""
    with pytest.raises(SystemExit) as exit:
        read_settings({**GOOD, **changes})
    message = str(exit.value)
    assert message.startswith(next(iter(changes)))
    assert "; set it to " in message or "; set it in " in message
