"""Programs that others wrote, against both services: Inspector with its own sign-in, and oauth4webapi."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.node_tools import node_tools
from tests.services.pair.pair import Pair
from tests.services.strict_client import PROVEN
from tests.services.strict_client import judged_strictly

CHECKOUT = Path(__file__).parents[3]

Inspector = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def inspector(pair: Pair, tmp_path: Path) -> Inspector:
    """Return a function that runs Inspector, which opens ``xdg-open``; what it keeps is this test's."""
    opened = tmp_path / "opened"
    browser = tmp_path / "xdg-open"
    command = shlex.join([sys.executable, "-m", "tests.services.pair.fake_browser"])
    browser.write_text(f'#!/bin/sh\necho "$1" >> {shlex.quote(str(opened))}\nexec {command} "$1"\n')
    browser.chmod(0o755)
    tools = node_tools()
    environment = {
        "PATH": f"{tmp_path}:{tools['PATH']}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(CHECKOUT),
        "BROWSER": str(browser),
        "LOOP_NAME": NAME,
        "LOOP_PASSWORD": PASSWORD,
        "MCP_AUTO_OPEN_ENABLED": "true",
        "MCP_INSPECTOR_SECRET_STORE": "file",
        "MCP_STORAGE_DIR": str(tmp_path / "inspector"),
    }

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["mcp-inspector", "--cli", f"{pair.url}/mcp", "--format", "json", *options],
            cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return run


@pytest.mark.parametrize("transport", ["http", "sse"])
def test_inspector_signs_in_and_calls_tools(inspector: Inspector, tmp_path: Path, transport: str) -> None:
    """All by itself but for the person in the browser, who is asked once."""
    listed = inspector("--transport", transport, "--method", "tools/list")
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert '"search"' in listed.stdout
    called = inspector(
        "--transport", transport, "--method", "tools/call", "--tool-name", "search", "--tool-arg", "query=practise",
        "--stored-auth-only",
    )  # fmt: skip
    assert called.returncode == 0, called.stdout + called.stderr
    assert "README.md" in json.dumps(json.loads(called.stdout))
    assert len((tmp_path / "opened").read_text().splitlines()) == 1


def test_a_strict_client_accepts_every_answer_of_both(pair: Pair, http: httpx.Client) -> None:
    """It finds loop-auth by what loop-api says about itself."""
    output, code = judged_strictly(pair.url, http, NAME, PASSWORD, "resource")
    assert (output, code) == (f"RFC 9728 protected resource metadata\n{PROVEN}", 0)
