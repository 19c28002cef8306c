"""What the protocol's own conformance suite and Inspector say to loop-api, at pinned versions from npm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.api.issuer import Issuer
from tests.services.api.service import Service
from tests.services.node_tools import run_tool
from tests.services.proxy import Proxy

# Both only say that the suite's own demonstration tool is not there.
ABSENT_TOOL = """server:
  - server-stateless:sep-2575-server-rejects-undeclared-capability
  - server-stateless:sep-2575-missing-capability-http-400
"""


@pytest.fixture(scope="module")
def proxied(service: Service, issuer: Issuer) -> Iterator[str]:
    """Return the URL of /mcp where the token comes by itself: the suite has no option for one."""
    with Proxy(lambda _: service.port, {"Authorization": f"Bearer {issuer.token()}"}) as proxy:
        yield f"{proxy.url}/mcp"


@pytest.mark.parametrize(
    ("scenario", "revision"),
    [
        ("server-initialize", None),
        ("ping", None),
        ("tools-list", None),
        ("server-session-lifecycle", None),
        ("dns-rebinding-protection", None),
        ("caching", "2026-07-28"),
        ("http-header-validation", "2026-07-28"),
        ("tools-list", "2026-07-28"),
        ("sep-2164-resource-not-found", "2026-07-28"),
        ("server-stateless", "2026-07-28"),
    ],
)
def test_conformance(tmp_path: Path, proxied: str, scenario: str, revision: str | None) -> None:
    """The scenarios that need no demonstration tools of the suite's own."""
    expected = tmp_path / "expected.yml"
    expected.write_text(ABSENT_TOOL if scenario == "server-stateless" else "server: []\n")
    command = ["conformance", "server", "--url", proxied, "--scenario", scenario, "--expected-failures", str(expected)]
    ended = run_tool(tmp_path, *command, *(["--spec-version", revision] if revision else []))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert scenario in ended.stdout


@pytest.mark.parametrize("transport", ["http", "sse"])
def test_inspector(tmp_path: Path, service: Service, issuer: Issuer, transport: str) -> None:
    """Lists the tools and calls one, over either transport."""
    base = ["mcp-inspector", "--cli", f"{service.url}/mcp", "--transport", transport, "--format", "json"]
    base += ["--header", f"Authorization: Bearer {issuer.token()}"]
    tools = run_tool(tmp_path, *base, "--method", "tools/list")
    assert tools.returncode == 0, tools.stdout + tools.stderr
    assert '"search"' in tools.stdout
    called = run_tool(
        tmp_path, *base, "--method", "tools/call", "--tool-name", "search", "--tool-arg", "query=practise"
    )
    assert called.returncode == 0, called.stdout + called.stderr
    assert "README.md" in json.dumps(json.loads(called.stdout))


def test_inspector_without_a_token_is_told_to_sign_in(tmp_path: Path, service: Service) -> None:
    """It recognises the challenge as one."""
    ended = run_tool(
        tmp_path, "mcp-inspector", "--cli", f"{service.url}/mcp", "--transport", "http", "--stored-auth-only",
        "--method", "tools/list", "--format", "json",
    )  # fmt: skip
    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert "auth_required" in ended.stdout + ended.stderr
