"""Suites that others wrote: oauth4webapi as a strict client, and MCP's conformance for authorization servers."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.auth.conftest import free_port
from tests.services.node_tools import node_tools
from tests.services.oauth_client import OAuthClient
from tests.services.site import Site
from tests.services.strict_client import PROVEN
from tests.services.strict_client import judged_strictly
from tests.services.strict_client import running


def test_a_strict_client_accepts_every_answer(site: Site, http: httpx.Client) -> None:
    """Each line says what oauth4webapi has held to its RFC."""
    assert judged_strictly(site, http, NAME, PASSWORD) == (PROVEN, 0)


def test_mcp_conformance_for_authorization_servers(site: Site, client: OAuthClient, tmp_path: Path) -> None:
    """Its scenarios: metadata, and the code grant with iss, state and no-store."""
    environment = {**node_tools(), **site.variables}
    port = free_port()
    client.register(redirect_uris=[f"http://127.0.0.1:{port}/callback"])
    command = ["conformance", "authorization", "--url", site.url, "--client-id", client.client_id]
    command += ["--resource", client.resource, "-p", str(port)]
    output = ""
    with running(command, tmp_path, environment) as process:
        assert process.stdout
        for line in process.stdout:
            output += line
            if found := re.search(rf"{site.url}/authorize\S+", line):
                client.http.get(client.browser().decide(found[0], NAME, PASSWORD).headers["location"])
        process.wait(timeout=20)
    assert process.returncode == 0, output
    assert "Total: 2 passed, 0 failed" in output, output
