"""loop-auth as a process: how it stops, what it holds, and that clients who vanish leave no trace."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

import httpx

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.auth.conftest import Make
from tests.services.oauth_client import Pkce

#: MiB.
MOST_MEMORY = 100


def test_it_stops_at_once_whoever_is_connected(make: Make, http: httpx.Client) -> None:
    """An idle connection, and one that sends its request a byte at a time."""
    auth = make().start()
    http.get(f"{auth.base}/health")
    with socket.create_connection(("127.0.0.1", auth.port)) as slow:
        slow.sendall(b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ngrant")
        time.sleep(0.2)
        assert auth.stop() < 2
    assert "Traceback" not in auth.log


def test_a_client_that_hangs_up_leaves_no_traceback(make: Make, http: httpx.Client) -> None:
    """In the middle of its request."""
    auth = make().start()
    for path in ("/token", "/register", "/revoke", "/authorize?x"):
        with socket.create_connection(("127.0.0.1", auth.port)) as client:
            client.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ngrant".encode())
            time.sleep(0.1)
    assert http.get(f"{auth.base}/health").status_code == 200
    assert "Traceback" not in auth.log


def test_it_is_small_after_work(make: Make, http: httpx.Client) -> None:
    """Sign-ins with their costly hash, and refreshes; resident memory in MiB, with what it peaked at."""
    auth = make().start()
    auth.command("user", "add", NAME, password=PASSWORD)
    client = auth.client(http)
    token = client.connect(NAME, PASSWORD)["refresh_token"]
    for _ in range(3):
        client.code(NAME, PASSWORD, Pkce())
    for _ in range(100):
        token = client.refresh(token).json()["refresh_token"]
    assert auth.process is not None
    status = Path(f"/proc/{auth.process.pid}/status").read_text()
    peak, now = (int(re.findall(rf"{name}:\s+(\d+) kB", status)[0]) // 1024 for name in ("VmHWM", "VmRSS"))
    print(f"resident: {now} MiB, peak {peak} MiB")
    assert now <= peak <= MOST_MEMORY
