"""The command ``loop-auth`` in the container."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time

import httpx
import pytest

from tests.services.auth.conftest import CHECKOUT
from tests.services.auth.conftest import PASSWORD
from tests.services.auth.conftest import Auth
from tests.services.auth.conftest import Make
from tests.services.oauth_client import OAuthClient
from tests.services.oauth_client import Pkce

OTHER = "another long password"


def test_users_come_change_and_go_while_the_service_runs(auth: Auth, client: OAuthClient) -> None:
    """A new password, and a removal, end what was signed in before."""
    assert auth.command("user", "add", "bert", password=f"{PASSWORD}\n").returncode == 0
    assert "bert" in auth.command("user", "list").stdout.split()
    browser = client.browser()
    assert "<h1>Allow" in browser.sign_in(client.authorize_url(Pkce()), "bert", PASSWORD).text
    token = client.connect("bert", PASSWORD)["refresh_token"]
    assert auth.command("user", "passwd", "bert", password=OTHER).returncode == 0
    assert "<h1>Sign in" in browser.get(client.authorize_url(Pkce())).text
    assert client.refresh(token).status_code == 400
    assert client.browser().sign_in(client.authorize_url(Pkce()), "bert", PASSWORD).status_code == 403
    token = client.connect("bert", OTHER)["refresh_token"]
    assert auth.command("user", "remove", "bert").returncode == 0
    assert client.refresh(token).status_code == 400
    assert "bert" not in auth.command("user", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "password", "words"),
    [
        (["user", "add", "carl"], "short", "12 to 1024"),
        (["user", "add", "carl"], "", "12 to 1024"),
        (["user", "add", "carl"], "x" * 2000, "12 to 1024"),
        (["user", "add", "Carl"], PASSWORD, "no user name"),
        (["user", "add", "../carl"], PASSWORD, "no user name"),
        (["user", "add", "anna"], PASSWORD, "loop-auth user passwd anna"),
        (["user", "passwd", "carl"], PASSWORD, "loop-auth user list"),
        (["user", "remove", "carl"], "", "loop-auth user list"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(auth: Auth, arguments: list[str], password: str, words: str) -> None:
    """With what to do next."""
    result = auth.command(*arguments, password=password)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: ")
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_a_password_is_no_argument(auth: Auth) -> None:
    """Others on the machine see arguments."""
    assert auth.command("user", "add", "carl", PASSWORD).returncode == 2


def test_on_a_terminal_the_password_is_asked_for_twice_and_not_shown(auth: Auth) -> None:
    """As any other such command does."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "api.oauth", "user", "add", "dora"]
    process = subprocess.Popen(command, cwd=CHECKOUT, env=auth.variables(), stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    shown = b""
    for _ in range(2):
        while not shown.endswith(b": "):
            shown += os.read(master, 1000)
        os.write(master, f"{PASSWORD}\n".encode())
        shown += os.read(master, 1000)
    assert process.wait(timeout=20) == 0
    os.close(master)
    assert PASSWORD.encode() not in shown
    assert "dora" in auth.command("user", "list").stdout


def test_keys_are_listed_with_what_they_are_for(make: Make) -> None:
    """Before, while and after a rotation."""
    auth = make(issuer="https://loop.example")
    assert "restore it from a backup" in auth.command("keys", "list").stderr or auth.command("keys", "list").returncode
    auth.start()
    assert auth.command("keys", "list").stdout.count("signs\n") == 1
    assert auth.command("keys", "rotate").returncode == 0
    lines = auth.command("keys", "list").stdout.splitlines()
    assert [line.split("  ")[1].split(" from")[0] for line in lines] == ["signs", "is published, signs"]
    refused = auth.command("keys", "rotate")
    assert (refused.returncode, "waits already" in refused.stderr) == (1, True)
    assert auth.command("keys", "rotate", "--compromised").returncode == 0
    time.sleep(1.1)
    keys = httpx.get(f"{auth.base}/.well-known/jwks.json").json()["keys"]
    assert [f"{key['kid']}  signs" for key in keys] == auth.command("keys", "list").stdout.splitlines()
