"""loop-auth as a process, on a port of the system's choice."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from itertools import count
from pathlib import Path

import httpx
import pytest

from tests.services.oauth_client import Browser
from tests.services.oauth_client import OAuthClient
from tests.services.site import Site

CHECKOUT = Path(__file__).resolve().parents[3] / "examples" / "loop"
NAME, PASSWORD = "anna", "correct horse battery staple"
_UVICORN = ["--factory", "api.oauth.main:create_app", "--host", "127.0.0.1", "--timeout-graceful-shutdown", "1"]
_QUIET = ["--no-access-log", "--no-proxy-headers", "--no-server-header"]

_addresses = count(1)


@dataclass
class Auth:
    """A loop-auth with its directory; ``prefix`` starts it with other rights."""

    directory: Path
    issuer: str = ""
    port: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        """Where the process listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        """The database file."""
        return self.directory / "oauth.db"

    @property
    def keys(self) -> Path:
        """The directory of the keys."""
        return self.directory / "keys"

    @property
    def log(self) -> str:
        """What the process wrote."""
        return (self.directory / "log").read_text()

    def start(self) -> Auth:
        """Start it and wait until it answers."""
        self.port = self.port or free_port()
        self.issuer = self.issuer or self.base
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "uvicorn", *_UVICORN, *_QUIET, "--port", str(self.port)],
                cwd=CHECKOUT, env=self.variables(), stdout=log, stderr=log,
            )  # fmt: skip
        self._wait()
        return self

    def stop(self) -> float:
        """Stop it as Docker does and return the seconds it took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=10)
        self.process = None
        return time.monotonic() - began

    def command(self, *arguments: str, password: str = "") -> subprocess.CompletedProcess[str]:
        """Run the command ``loop-auth``."""
        return subprocess.run(
            [sys.executable, "-m", "api.oauth", *arguments],
            cwd=CHECKOUT, env=self.variables(), input=password, capture_output=True, text=True, timeout=30,
        )  # fmt: skip

    def variables(self) -> dict[str, str]:
        """Return its environment."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
            "OAUTH_ISSUER": self.issuer,
            "OAUTH_DB_PATH": str(self.database),
            "OAUTH_KEYS_DIR": str(self.keys),
            "TOKEN_EXPIRE_HOURS": "720",
            **self.environment,
        }

    def client(self, http: httpx.Client) -> OAuthClient:
        """Return a client that comes from an address of its own through a proxy."""
        return OAuthClient(self.issuer, http, self.base, headers=someone())

    def _wait(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and self.process.poll() is None:
            # Not with httpx: what a client of it costs to make is taken from the service that starts.
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.base}/health"):
                return
            time.sleep(0.05)
        raise AssertionError(f"loop-auth does not answer: {self.log}")


def someone() -> dict[str, str]:
    """Return the header of a proxy for an address that nobody had before."""
    number = next(_addresses)
    return {"X-Forwarded-For": f"198.18.{number // 250}.{number % 250 + 1}"}


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


Make = Callable[..., Auth]


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Make further ones, each in a directory of its own."""
    made: list[Auth] = []

    def _make(issuer: str = "", environment: dict[str, str] | None = None) -> Auth:
        made.append(Auth(tmp_path_factory.mktemp("auth"), issuer, environment=environment or {}))
        return made[-1]

    yield _make
    for auth in made:
        if auth.process is not None:
            auth.process.kill()
            auth.process.wait()


@pytest.fixture(scope="session")
def auth(make: Make) -> Auth:
    """Return a running one with a user."""
    auth = make().start()
    assert auth.command("user", "add", NAME, password=PASSWORD).returncode == 0
    return auth


@pytest.fixture(scope="session")
def site(auth: Auth) -> Site:
    """Return where it is met."""
    return Site(auth.issuer)


@pytest.fixture(scope="session")
def person(auth: Auth, http: httpx.Client) -> Browser:
    """Return a browser in which the user signs in once, as a sign-in is slow by design."""
    return auth.client(http).browser()


@pytest.fixture
def client(auth: Auth, http: httpx.Client, person: Browser) -> OAuthClient:
    """Return a registered public client."""
    client = auth.client(http)
    client.person = person
    client.register().raise_for_status()
    return client
