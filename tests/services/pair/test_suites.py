"""Programs that others wrote, against both services: Inspector with its own sign-in, and oauth4webapi."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.pair.inspector import Inspector
from tests.services.site import Site
from tests.services.strict_client import PROVEN
from tests.services.strict_client import judged_strictly


@pytest.mark.parametrize("transport", ["http", "sse"])
def test_inspector_signs_in_and_calls_tools(site: Site, tmp_path: Path, transport: str) -> None:
    """All by itself but for the person in the browser, who is asked once."""
    inspector = Inspector(site, tmp_path)
    listed = inspector.run("--transport", transport, "--method", "tools/list")
    assert listed.returncode == 0, listed.stdout + listed.stderr
    assert '"search"' in listed.stdout
    called = inspector.run(
        "--transport", transport, "--method", "tools/call", "--tool-name", "search", "--tool-arg", "query=practise",
        "--stored-auth-only",
    )  # fmt: skip
    assert called.returncode == 0, called.stdout + called.stderr
    assert "README.md" in json.dumps(json.loads(called.stdout))
    assert len(inspector.opened) == 1


def test_a_strict_client_accepts_every_answer_of_both(site: Site, http: httpx.Client) -> None:
    """It finds loop-auth by what loop-api says about itself."""
    output, code = judged_strictly(site, http, NAME, PASSWORD, "resource")
    assert (output, code) == (f"RFC 9728 protected resource metadata\n{PROVEN}", 0)
