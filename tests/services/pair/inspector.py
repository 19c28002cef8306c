"""Inspector with its own sign-in, and a browser for it to open."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.node_tools import node_tools
from tests.services.node_tools import run_tool
from tests.services.site import Site

CHECKOUT = Path(__file__).parents[3]


class Inspector:
    """Inspector at ``site``; what it keeps, and which URLs it ``opened``, is in ``directory``."""

    def __init__(self, site: Site, directory: Path):
        self._site = site
        self._directory = directory
        self._log = directory / "opened"
        self._browser = directory / "xdg-open"
        command = shlex.join([sys.executable, "-m", "tests.services.pair.fake_browser"])
        self._browser.write_text(f'#!/bin/sh\necho "$1" >> {shlex.quote(str(self._log))}\nexec {command} "$1"\n')
        self._browser.chmod(0o755)

    @property
    def opened(self) -> list[str]:
        """The URLs that a person was asked to visit."""
        return self._log.read_text().splitlines()

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run it as a command that signs in when it must."""
        return run_tool(
            self._directory, "mcp-inspector", "--cli", f"{self._site.url}/mcp", "--format", "json", *options,
            PATH=f"{self._directory}:{node_tools()['PATH']}",
            PYTHONPATH=str(CHECKOUT),
            BROWSER=str(self._browser),
            LOOP_NAME=NAME,
            LOOP_PASSWORD=PASSWORD,
            MCP_AUTO_OPEN_ENABLED="true",
            MCP_INSPECTOR_SECRET_STORE="file",
            **self._site.variables,
        )  # fmt: skip
