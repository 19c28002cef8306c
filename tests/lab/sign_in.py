"""A person with an account on the practice NAS, and clients that reach it through its reverse proxy."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from mcp import Client

from tests.lab.conftest import DOCKER
from tests.lab.conftest import Nas
from tests.lab.conftest import lab_ports
from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.oauth_client import OAuthClient
from tests.services.pair import sdk


def public_url() -> str:
    """Return the address under which the practice NAS's services are public."""
    return f"https://127.0.0.1:{lab_ports()['https']}"


def trust(nas: Nas) -> ssl.SSLContext:
    """Return what trusts the practice NAS's own certificate, and no other."""
    return ssl.create_default_context(cadata=nas.run("cat", "/etc/nginx/tls.crt"))


def make_user(nas: Nas) -> None:
    """Let the person have an account, once."""
    if NAME not in nas.docker("exec", "loop-auth", "loop-auth", "user", "list").split():
        add = ("exec", "--interactive", "loop-auth", "loop-auth", "user", "add", NAME)
        nas.run(DOCKER, *add, stdin=f"{PASSWORD}\n")


def tokens(nas: Nas) -> dict[str, str]:
    """Sign in as a new client and return its tokens."""
    make_user(nas)
    with httpx.Client(verify=trust(nas)) as http:
        return dict(OAuthClient(public_url(), http).connect(NAME, PASSWORD))


@asynccontextmanager
async def connected(nas: Nas, person: sdk.Person) -> AsyncIterator[Client]:
    """Give the MCP SDK's own client, which signs in when it must."""
    async with sdk.connected(f"{public_url()}/mcp", person, sdk.Storage(), trust=trust(nas)) as client:
        yield client
