"""What each verb does to the containers, asked of the NAS's engine and not of the output."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import DOCKER
from tests.lab.conftest import SERVICES
from tests.lab.conftest import STATE
from tests.lab.conftest import Nas
from tests.lab.conftest import deploy
from tests.lab.conftest import lab_ports
from tests.lab.conftest import loopdeploy
from tests.lab.test_ansible_playbook import ansible_playbook


@pytest.fixture
def changed_code(nas: Nas) -> Iterator[Nas]:
    """Return the NAS with new code of loop-api in its checkout."""
    nas.run("sed", "-i", 's/title="loop-api"/title="loop-api, changed"/', f"{CHECKOUT}/api/main.py")
    yield nas
    nas.run("git", "-c", "safe.directory=*", "-C", CHECKOUT, "checkout", "--quiet", ".")


def test_an_empty_nas_gets_both_services(empty_nas: Nas) -> None:
    """From nothing, requests for the NAS's Python included, one command deploys everything."""
    result = deploy("rebuild-all")
    assert empty_nas.healthy()
    assert "Traceback" not in result.stderr
    assert "failed" not in result.stderr


def test_rebuild_just_works_on_a_bare_nas(empty_nas: Nas) -> None:
    """Without requests for its Python, a state directory, a network and loop-auth, loop-api comes up all the same.

    Nobody can sign in yet, so it asks for patience; once loop-auth is there it judges by its keys.
    """
    look = f"ls -d {STATE} 2>/dev/null; python3 -c 'import requests' 2>/dev/null || echo none"
    assert empty_nas.run("sh", "-c", look) == "none\n"
    deploy("rebuild")
    api = empty_nas.inspect("loop-api")
    assert api["State"]["Health"]["Status"] == "healthy"
    assert empty_nas.docker("images", "--no-trunc", "--quiet", api["Config"]["Image"]).strip() == api["Image"]
    assert empty_nas.get(8082, "/health")["status"] == "ok"
    assert empty_nas.docker("ps", "--all", "--format", "{{.Names}}").split() == ["loop-api"]
    assert empty_nas.run("stat", "-c", "%a %U", STATE).split() == ["700", "root"]
    assert ask_with_a_foreign_token().status_code == 503

    deploy("rebuild", "loop-auth")
    assert empty_nas.healthy()
    assert empty_nas.inspect("loop-api")["Id"] == api["Id"]
    # loop-api asks for the keys every five seconds while it has none.
    deadline = time.monotonic() + 15
    while (answer := ask_with_a_foreign_token()).status_code == 503 and time.monotonic() < deadline:
        time.sleep(0.5)
    assert answer.status_code == 401
    assert "unknown key" in answer.json()["error_description"]


def ask_with_a_foreign_token() -> httpx.Response:
    """Ask loop-api for the notes with a token whose key nobody has."""
    header = {"alg": "RS256", "typ": "at+jwt", "kid": "nobody's"}
    token = f"{base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip('=')}.e30.e30"
    url = f"http://127.0.0.1:{lab_ports()['api']}/api/notes"
    return httpx.get(url, headers={"Authorization": f"Bearer {token}"})


def test_rebuild_with_nothing_changed_touches_nothing(nas: Nas) -> None:
    """Same code, same declaration: same containers, not even restarted."""
    before = nas.lives()
    assert "nothing changed" in deploy("rebuild").stderr
    both = deploy("rebuild-all").stderr
    assert "nothing changed" in both
    assert nas.lives() == before
    # Each image is built once.
    assert both.count("Build loop-") == 2


def test_rebuild_brings_new_code_and_leaves_loop_auth_alone(changed_code: Nas) -> None:
    """Signed-in users stay signed in: loop-auth keeps its container, start time and keys."""
    auth, api = changed_code.lives()
    keys = changed_code.get(8084, "/.well-known/jwks.json")
    deploy("rebuild")
    assert changed_code.life("loop-auth") == auth
    assert changed_code.life("loop-api")[0] != api[0]
    assert changed_code.get(8082, "/openapi.json")["info"]["title"] == "loop-api, changed"
    assert changed_code.get(8084, "/.well-known/jwks.json") == keys


def test_rollback_goes_back_to_what_ran_and_to_a_named_release(changed_code: Nas) -> None:
    """The kept container itself, with its own image; a named release is its image as it is declared now."""
    auth, _ = changed_code.lives()
    first = changed_code.inspect("loop-api")
    deploy("rebuild")
    second = changed_code.inspect("loop-api")
    release = second["Config"]["Labels"]["loopdeploy.release"]
    deploy("rollback")
    assert changed_code.inspect("loop-api")["Id"] == first["Id"]
    assert changed_code.get(8082, "/openapi.json")["info"]["title"] == "loop-api"
    deploy("rollback", "--to", release)
    back = changed_code.inspect("loop-api")
    assert back["Id"] not in (first["Id"], second["Id"])
    assert (back["Image"], back["Config"]["Labels"]["loopdeploy.release"]) == (second["Image"], release)
    assert changed_code.get(8082, "/openapi.json")["info"]["title"] == "loop-api, changed"
    again = deploy("rollback", "--to", release)
    assert f"loop-api runs release {release} already" in again.stdout and "nothing changed" in again.stderr
    assert changed_code.inspect("loop-api")["Id"] == back["Id"]
    assert changed_code.life("loop-auth") == auth
    refused = loopdeploy("rollback", "--to", "20000101T000000Z-0000000")
    assert refused.returncode == 1
    assert "20000101T000000Z-0000000" in refused.stderr
    assert changed_code.inspect("loop-api")["Id"] == back["Id"]


def test_rollback_with_nothing_to_go_back_to_touches_nothing(nas: Nas) -> None:
    """No backup is made for it; it says what can be named instead."""
    nas.run(DOCKER, "rm", "--force", "loop-auth-previous", check=False)
    backups, lives = f"ls {STATE}/backups 2>&1", nas.lives()
    before = nas.run("sh", "-c", backups, check=False)
    result = loopdeploy("rollback", "loop-auth")
    assert result.returncode == 1
    assert "no container loop-auth-previous" in result.stderr and "--to" in result.stderr
    assert nas.run("sh", "-c", backups, check=False) == before
    assert nas.lives() == lives


def test_rebuild_all_keeps_the_signing_keys(nas: Nas, inventory: Callable[..., Path]) -> None:
    """Both containers are replaced when their declarations change; the keys survive."""
    before, keys = nas.lives(), nas.get(8084, "/.well-known/jwks.json")
    deploy(
        "--vault-password-file=inventory/lab/vault-password.txt",
        "rebuild-all",
        inventory=inventory(loop_public_url="https://loop.example"),
    )
    assert [life[0] for life in nas.lives()] != [life[0] for life in before]
    for service in SERVICES:
        assert "OAUTH_ISSUER=https://loop.example" in nas.inspect(service)["Config"]["Env"]
    assert nas.get(8084, "/.well-known/jwks.json") == keys


def test_rebuild_of_a_named_service_leaves_the_other_alone(nas: Nas) -> None:
    """The argument narrows the verb."""
    api = nas.life("loop-api")
    nas.docker("rm", "--force", "loop-auth")
    deploy("rebuild", "loop-auth")
    assert nas.life("loop-api") == api
    assert nas.healthy()


def test_a_container_that_was_stopped_or_removed_by_hand_is_deployed_again(nas: Nas) -> None:
    """An unchanged image is no reason to leave a service down."""
    nas.docker("stop", "loop-api")
    deploy("rebuild")
    assert nas.healthy()
    nas.docker("rm", "--force", "loop-api")
    deploy("rebuild")
    assert nas.healthy()


def test_restart_restarts_loop_api_alone(nas: Nas) -> None:
    """The same container, a new start time; loop-auth untouched."""
    auth, api = nas.lives()
    deploy("restart")
    assert nas.life("loop-auth") == auth
    assert nas.life("loop-api")[0] == api[0]
    assert nas.life("loop-api")[1] != api[1]
    assert nas.healthy()


def test_stop_and_start(nas: Nas) -> None:
    """Stop takes loop-api, or both; start brings back what is down and leaves alone what runs."""
    auth, api = nas.lives()
    deploy("stop")
    assert nas.life("loop-auth") == auth
    assert not nas.inspect("loop-api")["State"]["Running"]
    deploy("start")
    assert nas.life("loop-auth") == auth
    deploy("stop", "--all")
    assert not any(nas.inspect(service)["State"]["Running"] for service in SERVICES)
    assert "nothing changed" in deploy("stop", "--all").stderr
    deploy("start")
    assert [life[0] for life in nas.lives()] == [auth[0], api[0]]
    assert nas.healthy()


def test_status_answers_a_pipeline(nas: Nas) -> None:
    """0 when both are healthy, 4 when one is not; Docker's own table either way."""
    result = deploy("status")
    # Docker lists the newest first.
    assert sorted(line.split()[0] for line in result.stdout.splitlines()) == ["NAMES", "loop-api", "loop-auth"]
    nas.docker("stop", "loop-api")
    result = loopdeploy("status")
    assert result.returncode == 4
    assert result.stderr.splitlines()[-4].startswith("Error: lab: Not healthy: loop-api;")
    assert "Exited" in result.stderr


def test_status_of_an_empty_nas_is_unhealthy(empty_nas: Nas) -> None:
    """What was never deployed does not run."""
    result = loopdeploy("status")
    assert result.returncode == 4
    assert "There is no container loop-api or loop-auth: deploy with `loopdeploy -i lab rebuild-all`" in result.stderr


def test_logs_are_narrowed_by_service_lines_time_and_pattern(nas: Nas) -> None:
    """The last lines, of the named service, of the last minutes, that match."""
    for word in ("needle", "hay"):
        nas.docker("exec", "loop-api", "sh", "-c", f"echo {word} > /proc/1/fd/1")
    assert deploy("logs").stdout.count("loop-auth:\n") == 1
    lines = deploy("logs", "loop-api", "-n", "3").stdout.splitlines()
    assert lines[0] == "loop-api:"
    assert len(lines) == 4
    lines = deploy("logs", "loop-api", "--since", "1m", "--grep", "needle").stdout.splitlines()
    assert len(lines) == 2
    assert lines[1].endswith("needle")
    lines = deploy("logs", "loop-api", "--grep", "no-such-needle").stdout.splitlines()
    assert lines == ["loop-api:", "its log has no line that matches no-such-needle"]


def test_a_container_that_does_not_become_healthy_says_why(nas: Nas, inventory: Callable[..., Path]) -> None:
    """The failure is hidden for its secrets, yet its reason and the container's last words are told."""
    before = nas.lives()
    nas.run("sed", "-i", "$ a raise SystemExit('broken on purpose')", f"{CHECKOUT}/api/main.py")
    try:
        result = loopdeploy(
            "--vault-password-file=inventory/lab/vault-password.txt",
            "rebuild",
            inventory=inventory(loop_service_healthy_timeout=8),
        )
    finally:
        nas.run("git", "-c", "safe.directory=*", "-C", CHECKOUT, "checkout", "--quiet", ".")
    assert result.returncode == 1
    assert nas.lives() == before
    assert "exit code 1" in result.stderr
    assert "loop-api was not touched" in result.stderr
    assert "broken on purpose" in result.stderr
    assert "practice-openai-key" not in result.stderr
    assert "Traceback" not in result.stderr
    assert "nothing changed" in deploy("rebuild").stderr
    assert nas.healthy()


@pytest.mark.parametrize("verb", ["rebuild", "restart", "start", "stop"])
def test_a_hidden_failure_says_why_and_what_runs(nas: Nas, verb: str) -> None:
    """The task is hidden for its secrets; the reason and the state of the container are not."""
    auth, api = nas.lives()
    no_engine = {"PYTHONPATH": f"{STATE}/python-2.32.4", "DOCKER_HOST": "unix:///nowhere.sock"}
    variables = {"__loop_service_environment": no_engine, "loop_services": ["loop-api"]}
    result = ansible_playbook(f"{verb}.yml", "-e", json.dumps(variables))
    assert result.returncode == 2
    assert "failed: Error connecting" in result.stdout.replace("\n", " ")
    assert nas.lives() == [auth, api]


def test_a_damaged_copy_of_requests_is_replaced(nas: Nas) -> None:
    """A disk that was full, or a line that was cut, leaves nothing that lasts."""
    nas.run("rm", "-rf", f"{STATE}/python-2.32.4/urllib3")
    deploy("restart")
    assert nas.healthy()
