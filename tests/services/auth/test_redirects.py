"""The policy for redirect URIs."""

from __future__ import annotations

import pytest
from api.oauth.redirects import is_allowed
from api.oauth.redirects import matches


@pytest.mark.parametrize(
    "uri",
    [
        "https://claude.ai/api/mcp/auth_callback",
        "https://claude.com/api/mcp/auth_callback",
        "https://chatgpt.com/connector_platform_oauth_redirect",
        "https://chatgpt.com/connector/oauth/abc-1_2?a=b%20c&d=",
        "http://localhost/callback",
        "http://localhost:6274/oauth/callback",
        "http://127.0.0.1:33418/",
        "http://[::1]:8080/callback",
    ],
)
def test_clients_of_mcp_are_allowed(uri: str) -> None:
    """Claude, ChatGPT, and programs on the user's machine (RFC 8252, section 7.3)."""
    assert is_allowed(uri)
    assert matches(uri, uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://claude.ai",
        "http://claude.ai/cb",
        "https://claude.ai:8443/cb",
        "https://CLAUDE.ai/cb",
        "https://claude.ai./cb",
        "https://claude.ai.evil.example/cb",
        "https://evil.example/claude.ai",
        "https://notclaude.ai/cb",
        "https://x@claude.ai/cb",
        "https://claude.ai@evil.example/cb",
        "https://claude.ai\\@evil.example/cb",
        "https://claude.ai/cb#x",
        "https://claude.ai/cb#",
        "https://claude.ai/c b",
        "https://claude.ai/cb\n",
        "https://claude.ai/cb?x='",
        "https://claude.ai/cb?%zz",
        "https://claude.ai/" + "x" * 2000,
        "https:/claude.ai/cb",
        "https:claude.ai/cb",
        "//claude.ai/cb",
        "/cb",
        "http://evil.example/cb",
        "http://localhost.evil.example/cb",
        "http://127.0.0.2/cb",
        "http://0.0.0.0/cb",
        "http://[::1%25x]/cb",
        "http://[::1/cb",
        "http://localhost:0/cb",
        "http://localhost:65536/cb",
        "http://localhost:x/cb",
        "http://u:p@localhost/cb",
        "https://localhost/cb",
        "javascript:alert(1)",
        "JavaScript://localhost/%0aalert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "com.example.app:/cb",
        "ftp://localhost/cb",
    ],
)
def test_everything_else_is_refused(uri: str) -> None:
    """Other hosts, plain http elsewhere, and all that hides where it leads."""
    assert not is_allowed(uri)


@pytest.mark.parametrize(
    ("registered", "requested", "same"),
    [
        ("http://127.0.0.1/cb", "http://127.0.0.1:5000/cb", True),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1:5000/cb", True),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1/cb", True),
        ("http://[::1]/cb", "http://[::1]:5000/cb", True),
        ("http://localhost/cb?a=b", "http://localhost:5000/cb?a=b", True),
        ("http://localhost/cb", "http://127.0.0.1/cb", False),
        ("http://localhost/cb", "http://localhost:5000/cb/", False),
        ("http://localhost/cb", "http://localhost:5000/CB", False),
        ("http://localhost/cb?a=b", "http://localhost:5000/cb", False),
        ("http://localhost/cb", "http://localhost:99999/cb", False),
        ("http://localhost/cb", "http://u@localhost:1/cb", False),
        ("http://localhost/cb", "https://localhost/cb", False),
        ("http://localhost/cb", "http://localhost:1/cb#x", False),
        ("https://claude.ai/cb", "https://claude.ai:443/cb", False),
        ("https://claude.ai/cb", "https://claude.ai/cb?x", False),
    ],
)
def test_only_the_port_on_loopback_may_differ(registered: str, requested: str, same: bool) -> None:
    """RFC 9700, section 4.1.3."""
    assert matches(registered, requested) is same
