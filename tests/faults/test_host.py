"""What can go wrong on the NAS itself while a deployment runs."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.faults.conftest import CRASH
from tests.faults.conftest import Client
from tests.faults.conftest import Run
from tests.faults.conftest import append
from tests.faults.conftest import is_of_one_release
from tests.faults.conftest import is_served
from tests.faults.conftest import left
from tests.faults.conftest import next_run_succeeds
from tests.faults.conftest import restored
from tests.lab.checkout import GIT
from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import LAB
from tests.lab.conftest import STATE
from tests.lab.conftest import Nas
from tests.lab.conftest import Result
from tests.lab.conftest import command
from tests.lab.conftest import deploy
from tests.lab.conftest import loopdeploy

EXEC = "/volume1/LOOP_CLevel/vault/loop_exec"
# Takes loop-api's port as soon as nobody has it, and holds it.
THIEF = """
import socket, time
while True:
    thief = socket.socket()
    thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        thief.bind(("0.0.0.0", 8082))
        thief.listen()
        break
    except OSError:
        thief.close()
        time.sleep(0.001)
time.sleep(600)
"""


def fill(nas: Nas, directory: str) -> None:
    """Leave no byte on the disk of ``directory``."""
    rest = "; ".join(f"dd if=/dev/zero of={directory}/filler{size} bs={size} 2>/dev/null" for size in ("1M", "4k", "1"))
    nas.run("sh", "-c", f"{rest}; true")


def is_the_same(nas: Nas, before: dict[str, Any]) -> bool:
    """Return whether loop-auth is the container ``before``, of its image; the NAS may have started it anew."""
    now = nas.inspect("loop-auth")
    return (now["Id"], now["Image"]) == (before["Id"], before["Image"])


def test_the_port_is_taken_by_another_container(nas: Nas, quick: Callable[..., Result]) -> None:
    """It is named before anything is touched."""
    before = nas.inspect("loop-api")["Id"]
    nas.docker("stop", "loop-api")
    nas.docker("run", "--detach", "--name", "squatter", "--publish", "8082:80", "loop-api:latest", "sleep", "600")
    try:
        result = quick("rebuild")
    finally:
        nas.docker("rm", "--force", "squatter")
    assert result.returncode == 1
    assert "taken by squatter" in result.stderr
    assert nas.inspect("loop-api")["Id"] == before
    assert left(nas) == []
    next_run_succeeds(nas)


def test_a_bind_source_is_missing(nas: Nas, quick: Callable[..., Result]) -> None:
    """What runs has it still, and runs on."""
    before = nas.lives()
    nas.run("mv", EXEC, f"{EXEC}.away")
    try:
        with Client() as client:
            result = quick("rebuild", "--force")
    finally:
        nas.run("mv", f"{EXEC}.away", EXEC)
    assert result.returncode == 1
    assert f"{EXEC} does not exist" in result.stderr
    assert nas.lives() == before
    assert client.longest < 1
    next_run_succeeds(nas)


@pytest.mark.parametrize("step", ["Build loop-api", "Make loop-api-candidate", "Swap in release"])
def test_the_state_s_disk_is_full(checkout: Nas, step: str) -> None:
    """Nothing is begun that could not be written down."""
    auth, api = checkout.lives()
    append(checkout, "FULL = True")
    checkout.run("sh", "-c", f"cp -a {STATE} /tmp/state && mount -t tmpfs -o size=1g tmpfs {STATE}"
                 f" && cp -a /tmp/state/. {STATE} && rm -rf /tmp/state && chmod 700 {STATE}")  # fmt: skip
    try:
        run = Run("rebuild")
        run.until(step)
        fill(checkout, STATE)
        with Client() as client:
            code = run.ends()
        assert code in (0, 1), code
        assert client.longest < 15
        assert checkout.healthy()
        assert checkout.life("loop-auth") == auth
        # When the disk was full only behind the swap, all that could not be done is to write that down.
        if code and "the history could not be written" not in str(run.child.before):
            assert checkout.life("loop-api") == api
    finally:
        checkout.run("umount", STATE)
    restored(checkout)
    next_run_succeeds(checkout)


def test_the_engine_s_disk_is_full_in_the_build(checkout: Nas) -> None:
    """The engine unpacks what it builds in a directory of its own; it says so, and nothing was touched."""
    before = checkout.lives()
    append(checkout, "FULL_BUILD = True")
    checkout.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/var/lib/docker/tmp")
    try:
        fill(checkout, "/var/lib/docker/tmp")
        with Client() as client:
            result = loopdeploy("rebuild")
    finally:
        checkout.run("umount", "/var/lib/docker/tmp")
    assert result.returncode == 1
    assert "no space left on device" in result.stderr
    assert checkout.lives() == before
    assert client.longest < 1
    assert left(checkout) == []
    restored(checkout)
    next_run_succeeds(checkout)


def test_the_engine_s_disk_is_full_in_the_swap(checkout: Nas) -> None:
    """The engine cannot write the container down that is to make room, so that one is not even stopped."""
    before = checkout.lives()
    append(checkout, "FULL_SWAP = True")
    place = f"/var/lib/docker/containers/{checkout.inspect('loop-api')['Id']}"
    checkout.run("sh", "-c", f"cp -a {place} /tmp/full && mount -t tmpfs -o size=64m tmpfs {place}"
                 f" && cp -a /tmp/full/. {place} && rm -rf /tmp/full")  # fmt: skip
    try:
        fill(checkout, place)
        with Client() as client:
            result = loopdeploy("rebuild")
    finally:
        checkout.run("umount", place)
    assert result.returncode == 5, result.stderr
    assert "no space left on device" in result.stderr
    assert checkout.lives() == before
    assert client.longest < 1
    restored(checkout)
    next_run_succeeds(checkout)


def test_a_checkout_that_is_synced_while_it_is_built(checkout: Nas) -> None:
    """A release is named after what was built, not after what came meanwhile."""
    append(checkout, "SYNCED = True")
    revision = checkout.run(*GIT, "rev-parse", "--short=7", "HEAD").strip()
    run = Run("rebuild")
    run.until("Build loop-api")
    name = ("-c", "user.name=ann", "-c", "user.email=ann@example.org")
    checkout.run(*GIT, *name, "commit", "--quiet", "--allow-empty", "--message", "a sync")
    try:
        assert run.ends() == 0
    finally:
        checkout.run(*GIT, "reset", "--quiet", "--soft", "HEAD~1")
    assert checkout.inspect("loop-api")["Config"]["Labels"]["loopdeploy.release"].endswith(f"Z-{revision}")
    restored(checkout)
    next_run_succeeds(checkout)


def test_the_engine_is_restarted_in_the_middle(nas: Nas) -> None:
    """The replacement waits for it, and ends in one of the two."""
    auth, before = nas.inspect("loop-auth"), nas.inspect("loop-api")
    run = Run("rebuild", "--force")
    run.until("Swap in release")
    time.sleep(1)
    nas.run("sv", "-w", "60", "restart", "dockerd")
    assert run.ends() in (0, 1, 5)
    assert is_served(nas)
    next_run_succeeds(nas)
    assert is_the_same(nas, auth)
    is_of_one_release(nas, before)


@pytest.mark.parametrize("delay", [0.0, 0.7, 1.2, 1.8])
def test_the_nas_is_rebooted_in_the_middle(nas: Nas, delay: float) -> None:
    """It comes up with both services, before anybody runs anything."""
    auth, before = nas.inspect("loop-auth"), nas.inspect("loop-api")
    run = Run("rebuild", "--force")
    run.until("Swap in release")
    time.sleep(delay)
    subprocess.run(["docker", "restart", "--time", "1", LAB], check=True, capture_output=True)
    assert run.ends() in (1, 3)
    assert is_served(nas)
    assert nas.get(8084, "/health")["status"] == "ok"
    assert command("loopdeploy", "lab", "up").returncode == 0
    next_run_succeeds(nas)
    assert is_the_same(nas, auth)
    is_of_one_release(nas, before)


def test_a_rollback_that_fails_is_undone(checkout: Nas, quick: Callable[..., Result]) -> None:
    """What ran before the rollback runs again, and the kept container is kept."""
    append(checkout, CRASH)
    deploy("rebuild")
    restored(checkout)
    deploy("rebuild")
    checkout.run("touch", f"{CHECKOUT}/.crash")
    try:
        before = checkout.inspect("loop-api")["Id"], checkout.inspect("loop-api-previous")["Id"]
        result = quick("rollback")
        assert result.returncode == 5, result.stderr
        assert "crash on purpose" in result.stderr
        assert (checkout.inspect("loop-api")["Id"], checkout.inspect("loop-api-previous")["Id"]) == before
        assert checkout.healthy()
    finally:
        checkout.run("rm", f"{CHECKOUT}/.crash")
    next_run_succeeds(checkout)


@contextmanager
def thief(nas: Nas) -> Iterator[None]:
    """Let another program take loop-api's port in the one moment in which it is free, and keep it."""
    start = "cat > /tmp/thief.py; python3.11 /tmp/thief.py >/dev/null 2>&1 & echo $! > /tmp/thief"
    nas.run("sh", "-c", start, stdin=THIEF)
    try:
        yield
    finally:
        nas.run("sh", "-c", "kill $(cat /tmp/thief)")


def test_a_rollback_that_cannot_be_undone_says_what_is_down_and_what_to_type(
    nas: Nas, quick: Callable[..., Result]
) -> None:
    """Another program takes the port in the one moment in which it is free."""
    deploy("rebuild", "--force")
    before = nas.inspect("loop-api")["Id"]
    with thief(nas):
        result = quick("rollback")
    assert result.returncode == 1
    assert "loop-api is down" in result.stderr
    assert before[:12] in result.stderr
    assert " recover`" in result.stderr
    deploy("recover")
    assert nas.healthy()
    assert nas.inspect("loop-api")["Id"] == before
    next_run_succeeds(nas)


def test_a_service_that_cannot_come_back_is_replaced_by_its_remedy(nas: Nas, quick: Callable[..., Result]) -> None:
    """What keeps the old container down is still there; a declaration that gets by without it is deployed."""
    auth, before = nas.life("loop-auth"), nas.inspect("loop-api")["Id"]
    with thief(nas):
        assert quick("rebuild", "--force").returncode == 1
        assert not nas.inspect("loop-api")["State"]["Running"]
        result = quick("rebuild", loop_api_port=8092)
        assert result.returncode == 0, result.stderr
        assert nas.get(8092, "/health")["status"] == "ok"
        assert nas.inspect("loop-api-previous")["Id"] == before
    deploy("rebuild")
    assert nas.life("loop-auth") == auth
    next_run_succeeds(nas)


def test_a_restore_that_a_power_cut_ended_is_finished(nas: Nas) -> None:
    """Of its files some were in place; the next verb sees to the rest, and to the container."""
    deploy("rebuild", "loop-auth", "--force")
    keys = f"{CHECKOUT}/api/oauth/keys"
    before = nas.run("ls", keys)
    backup = nas.run("ls", f"{STATE}/backups").split()[-1]
    entry = {"new": backup, "before": backup, "policy": {"Name": "unless-stopped"}, "put": False}
    nas.run("sh", "-c", f"cat > {STATE}/restore-loop-auth.json", stdin=json.dumps(entry))
    nas.run("touch", f"{keys}/of-another-backup.pem")
    nas.docker("stop", "loop-auth")
    assert f"finished the interrupted restore of loop-auth from the backup {backup}" in deploy("recover").stdout
    assert nas.run("ls", keys) == before
    assert nas.inspect("loop-auth")["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    next_run_succeeds(nas)


@pytest.mark.parametrize("offset", ["+1d", "-1d"])
def test_the_clock_of_the_nas_is_a_day_off(nas: Nas, offset: str) -> None:
    """Locks are counted in uptime and releases by their own names, so nothing expires and nothing is lost."""
    auth, before = nas.life("loop-auth"), nas.inspect("loop-api")
    preload = f"echo '{offset}' > /etc/faketimerc; find / -xdev -name libfaketime.so.1 > /etc/ld.so.preload"
    nas.run("sh", "-c", preload)
    assert nas.run("cat", "/etc/ld.so.preload").strip(), "the practice NAS has no libfaketime"
    try:
        assert abs(float(nas.run("date", "+%s")) - time.time()) > 80000
        deploy("rebuild", "--force")
        runs = json.loads(deploy("history", "--json").stdout)
        assert runs[-1]["outcome"] == "done"
        replaced = nas.inspect("loop-api")
        assert replaced["Id"] != before["Id"]
        is_of_one_release(nas, before)
        deploy("rollback")
        assert nas.inspect("loop-api")["Id"] == before["Id"]
        assert nas.inspect("loop-api-previous")["Id"] == replaced["Id"]
    finally:
        nas.run("rm", "/etc/ld.so.preload")
    deploy("rollback")
    assert nas.inspect("loop-api")["Id"] == replaced["Id"]
    deploy("rebuild", "--force")
    is_of_one_release(nas, replaced)
    next_run_succeeds(nas)
    assert nas.life("loop-auth") == auth
