"""The practice NAS itself: safe to bring up twice, and like a NAS where it matters."""

from __future__ import annotations

import socket
import subprocess
import time

from tests.lab.conftest import DOCKER
from tests.lab.conftest import LAB
from tests.lab.conftest import SERVICES
from tests.lab.conftest import Nas
from tests.lab.conftest import command
from tests.lab.conftest import lab_ports


def test_demo_again_leaves_it_running(nas: Nas) -> None:
    """It begins with `lab up`, and changes nothing: not the lab, not its ports, not what is deployed on it.

    What it shows it got from the services, whatever proxy stands before this machine.
    """
    before, ports = nas.lives(), lab_ports()
    proxy = {"http_proxy": "http://127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""}
    result = command("loopdeploy", "lab", "demo", environment=proxy)
    assert result.returncode == 0, result.stderr
    assert "lab-demo: nothing changed" in result.stderr
    assert (nas.lives(), lab_ports()) == (before, ports)
    lines = result.stdout.splitlines()
    table = lines.index(next(line for line in lines if line.startswith("NAMES ")))
    # Docker lists the one first that was made last.
    assert {line.split()[0] for line in lines[table + 1 : table + 3]} == {"loop-api", "loop-auth"}
    for service, line in zip(["loop-auth", "loop-api"], lines[-2:], strict=True):
        assert line.startswith(f"{{'status': 'ok', 'service': '{service}'")


def test_it_is_like_a_nas(lab: Nas) -> None:
    """Docker off the PATH and for root alone, no SFTP, no requests, a sudo that asks."""
    assert lab.run("test", "-f", "/etc/synoinfo.conf") == ""
    assert lab.run("stat", "-c", "%U:%G %a", "/run/docker.sock").strip() == "root:root 660"
    assert "docker" not in lab.run("getent", "group")
    assert lab.run("sh", "-c", "command -v docker || true") == ""
    assert lab.run("python3.11", "-c", "import importlib.util as u; print(u.find_spec('requests'))").strip() == "None"
    assert "Subsystem" not in lab.run("cat", "/etc/ssh/sshd_config")
    refused = subprocess.run(
        ["docker", "exec", "--user", "loopadmin", LAB, "sudo", "-n", DOCKER, "ps"], check=False, capture_output=True
    )
    assert refused.returncode == 1


def run_again(nas: Nas, before: list[tuple[str, str, int]]) -> bool:
    """Return whether both containers run and are healthy, the same ones, started anew."""
    form = "{{.Id}} {{.State.Status}} {{.State.Health.Status}}"
    # The engine may not answer yet.
    found = nas.run(DOCKER, "inspect", "--format", form, *SERVICES, check=False).splitlines()
    if found != [f"{container} running healthy" for container, _, _ in before]:
        return False
    return not {started for _, started, _ in before} & {started for _, started, _ in nas.lives()}


def test_a_reboot_brings_both_services_back(nas: Nas) -> None:
    """Restarting the lab is what a power cut is to a NAS; no verb is needed, and the next one finds its way."""
    before = nas.lives()
    subprocess.run(["docker", "restart", "--time", "1", LAB], check=True, capture_output=True)
    deadline = time.monotonic() + 90
    while not run_again(nas, before):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert nas.healthy()
    assert command("loopdeploy", "-i", "lab", "status").returncode == 0


def test_no_engine_is_put_beside_one_that_is_named() -> None:
    """Not even as root on Debian: who names an engine wants that one."""
    result = command("loopdeploy", "lab", "up", environment={"DOCKER_HOST": "unix:///nowhere.sock"})
    assert result.returncode == 1
    assert "No Docker Engine answers at unix:///nowhere.sock: start one, or name" in result.stderr


def test_reset_gives_an_empty_nas_and_avoids_a_taken_port(lab: Nas) -> None:
    """Nothing of the old one is left; where another program took its port, it gets a free one."""
    assert command("loopdeploy", "lab", "down").returncode == 0
    with socket.create_server(("127.0.0.1", 2222)):
        assert command("loopdeploy", "lab", "up").returncode == 0
    moved = lab_ports()["ssh"]
    assert moved != 2222
    # The same while it was stopped.
    subprocess.run(["docker", "stop", "--time", "1", LAB], check=True, capture_output=True)
    with socket.create_server(("127.0.0.1", moved)):
        assert command("loopdeploy", "lab", "up").returncode == 0
    assert lab_ports()["ssh"] not in (2222, moved)
    assert lab.docker("ps", "--all", "--quiet") == ""
    assert command("loopdeploy", "-i", "lab", "rebuild-all").returncode == 0
    assert lab.healthy()
    assert command("loopdeploy", "lab", "reset").returncode == 0
    assert lab_ports()["ssh"] == 2222
    assert lab.docker("ps", "--all", "--quiet") == ""
