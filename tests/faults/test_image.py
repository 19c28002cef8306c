"""Images that do not work: loop-api serves on, and not one request fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.faults.conftest import Client
from tests.faults.conftest import append
from tests.faults.conftest import left
from tests.faults.conftest import next_run_succeeds
from tests.faults.conftest import restored
from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import ROOT
from tests.lab.conftest import Nas
from tests.lab.conftest import Result
from tests.lab.conftest import deploy

UNHEALTHY = """
@app.middleware("http")
async def broken(request, call_next):
    from starlette.responses import Response
    return Response(status_code=500)
"""
CRASH_LATER = "import os, threading; threading.Timer(2.5, os._exit, [3]).start()"
# The candidate works, and what comes after it does not.
CRASH_ON_SECOND_START = """
from pathlib import Path
if Path("/vault/.started").exists():
    raise SystemExit("second start")
Path("/vault/.started").touch()
"""


def declaration(**changes: object) -> dict[str, Any]:
    """Return loop-api's declaration with changes."""
    defaults = yaml.safe_load((ROOT / "roles/loop_api/defaults/main.yml").read_text())
    return {**defaults["loop_api_container"], **changes}


def require_untouched(nas: Nas, result: Result, lives: object, client: Client, words: str) -> None:
    """Require that the run failed with ``words`` and that nobody noticed."""
    assert result.returncode == 1, result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert nas.lives() == lives
    assert client.answers > 20
    assert client.longest < 1.0
    assert left(nas) == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param("raise SystemExit('broken on purpose')", "exit code 1", marks=pytest.mark.fast),
        ("import os; os._exit(0)", "it ended with exit code 0"),
        ("import time; time.sleep(1000)", "did not pass within 8 s"),
        (UNHEALTHY, "did not pass within 8 s"),
        (CRASH_LATER, "it ended with exit code 3"),
    ],
    ids=["crashes", "exits-0", "hangs", "never-healthy", "healthy-then-crash"],
)
def test_an_application_that_does_not_work(checkout: Nas, quick: Callable[..., Result], code: str, words: str) -> None:
    """It is found out beside the one that serves."""
    before = checkout.lives()
    append(checkout, code)
    with Client() as client:
        result = quick("rebuild", loop_service_steady=4)
    require_untouched(checkout, result, before, client, words)
    restored(checkout)
    next_run_succeeds(checkout)


def test_a_dockerfile_with_a_syntax_error(checkout: Nas, quick: Callable[..., Result]) -> None:
    """The build refuses it."""
    before = checkout.lives()
    append(checkout, "FORM scratch", "Dockerfile")
    with Client() as client:
        result = quick("rebuild")
    assert result.returncode == 1
    assert "FORM" in result.stderr
    assert deploy("history").stdout.rstrip().endswith("at: Build loop-api")
    assert checkout.lives() == before
    assert client.longest < 1.0
    restored(checkout)
    next_run_succeeds(checkout)


def test_an_application_on_the_wrong_port(checkout: Nas, quick: Callable[..., Result]) -> None:
    """It runs, and nobody finds it."""
    before = checkout.lives()
    checkout.run("sed", "-i", 's/"8081"/"9999"/', f"{CHECKOUT}/Dockerfile")
    with Client() as client:
        result = quick("rebuild")
    require_untouched(checkout, result, before, client, "did not pass within 8 s")
    restored(checkout)
    next_run_succeeds(checkout)


@pytest.mark.fast
def test_a_health_check_whose_command_is_missing(nas: Nas, quick: Callable[..., Result]) -> None:
    """It can never pass, so nobody waits for it."""
    before, check = nas.lives(), {"test": ["CMD", "/no/such/command"], "interval": "2s"}
    with Client() as client:
        result = quick("rebuild", loop_api_container=declaration(healthcheck=check))
    require_untouched(nas, result, before, client, "its health check cannot be run")
    next_run_succeeds(nas)


def test_an_application_out_of_memory(checkout: Nas, quick: Callable[..., Result]) -> None:
    """The operator reads that it was the memory."""
    before = checkout.lives()
    append(checkout, 'hoard = bytearray(b"x") * 2**32')
    with Client() as client:
        result = quick("rebuild", loop_api_container=declaration(memory="96m"))
    require_untouched(checkout, result, before, client, "it ran out of memory")
    restored(checkout)
    next_run_succeeds(checkout)


def test_an_application_that_works_once(checkout: Nas, quick: Callable[..., Result]) -> None:
    """It passes its proof and fails in its place: the old container is put back, the same one, and says so."""
    auth, api = checkout.lives()
    append(checkout, CRASH_ON_SECOND_START)
    try:
        with Client() as client:
            result = quick("rebuild")
    finally:
        checkout.run("rm", "-f", f"{CHECKOUT}/.started")
    assert result.returncode == 5, result.stderr
    assert "second start" in result.stderr
    assert "runs again" in result.stderr
    assert checkout.life("loop-auth") == auth
    assert checkout.life("loop-api")[0] == api[0]
    assert client.longest < 15
    assert left(checkout) == []
    assert checkout.healthy()
    restored(checkout)
    next_run_succeeds(checkout)
