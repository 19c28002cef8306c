"""loop-api as a process of its own, and a client of it."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx2

from tests.services.api.issuer import ISSUER

CODE = Path(__file__).parents[3] / "examples" / "loop"
START_SECONDS = 30


class Service:
    """A uvicorn with loop-api, or with ``app``, over the vault in ``directory``."""

    def __init__(self, directory: Path, jwks_url: str, app: str = "api.main:app", issuer: str = ISSUER):
        self.vault = directory / "vault"
        self.exec_vault = self.vault / "exec"
        self.exec_vault.mkdir(parents=True, exist_ok=True)
        self.log = directory / "log"
        self.jwks_file = directory / "state" / "jwks.json"
        self.port = 0
        self.patience = 8
        self._app = app
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The server's process."""
        assert self._process
        return self._process.pid

    @property
    def environment(self) -> dict[str, str]:
        """What loop-api finds in its environment."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(CODE), str(CODE.parents[1])]),
            "PYTHONUNBUFFERED": "1",
            "VAULT_DIR": str(self.vault),
            "EXEC_VAULT_DIR": str(self.exec_vault),
            "OAUTH_ISSUER": self._issuer,
            "JWKS_URL": self._jwks_url,
            "JWKS_FILE": str(self.jwks_file),
        }

    def start(self) -> None:
        """Start it as the image does, and wait until it listens; a second time on the same port."""
        command = [sys.executable, "-m", "uvicorn", self._app, "--port", str(self.port)]
        command += ["--timeout-graceful-shutdown", str(self.patience)]
        before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            found = re.search(rb"running on http://127.0.0.1:(\d+)", self.log.read_bytes()[before:])
            if found:
                self.port = int(found[1])
                return
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def terminate(self) -> None:
        """Send SIGTERM, as ``docker stop`` does."""
        os.kill(self.pid, signal.SIGTERM)

    def wait(self, seconds: float = 10) -> int:
        """Return its exit code."""
        assert self._process
        return self._process.wait(seconds)

    def stop(self) -> None:
        """End it, whatever state it is in."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def client(self, token: str | None = None) -> Client:
        """Return a client with ``token``."""
        return Client(self.url, token)


class Client(httpx2.Client):
    """An HTTP client that speaks MCP's older, still common revision, without a handshake."""

    def __init__(self, url: str, token: str | None, trust: ssl.SSLContext | bool = True):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        super().__init__(base_url=url, headers=headers, timeout=30, verify=trust)

    def rpc(self, method: str, **params: Any) -> httpx2.Response:
        """Post a JSON-RPC request to /mcp."""
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return self.post("/mcp", json=message, headers={"Accept": "application/json, text/event-stream"})

    def tool(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Return the result of a tool call that was answered with 200."""
        response = self.rpc("tools/call", name=name, arguments=arguments)
        assert response.status_code == 200, response.text
        return dict(response.json()["result"])

    def answer(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Return what a tool call that worked gave, in its one text item."""
        result = self.tool(name, **arguments)
        assert not result.get("isError"), result
        (item,) = result["content"]
        answer = json.loads(item["text"])
        assert result["structuredContent"] == answer
        return dict(answer)

    def failure(self, name: str, **arguments: Any) -> str:
        """Return the sentence with which a tool call failed."""
        result = self.tool(name, **arguments)
        assert result["isError"], result
        return str(result["content"][0]["text"])
