"""The containers are exactly what the old commands made."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import Nas
from tests.lab.conftest import command
from tests.lab.conftest import lab_ports

EXEC = "/volume1/LOOP_CLevel/vault/loop_exec"
CONTRACT: dict[str, dict[str, Any]] = {
    "loop-auth": {
        "image": r"loop-auth:\d{8}T\d{6}Z-\w+",
        "stop_timeout": 5,
        "hidden": {},
        "port": ("8083/tcp", "8084"),
        "binds": {f"{CHECKOUT}/api/oauth:/app/api/oauth:rw"},
        "environment": {
            "OAUTH_DB_PATH": "/app/api/oauth/oauth.db",
            "OAUTH_KEYS_DIR": "/app/api/oauth/keys",
            "TOKEN_EXPIRE_HOURS": "720",
            "TZ": "Asia/Seoul",
        },
    },
    "loop-api": {
        "image": r"loop-api:\d{8}T\d{6}Z-\w+",
        "stop_timeout": 10,
        "hidden": {"/vault/api/oauth": "ro,size=4k,mode=0555"},
        "port": ("8081/tcp", "8082"),
        "binds": {
            f"{CHECKOUT}:/vault:rw",
            f"{EXEC}:/vault/exec:ro",
            f"{CHECKOUT}/api/oauth/keys:/app/api/oauth/keys:ro",
        },
        "environment": {
            "VAULT_DIR": "/vault",
            "EXEC_VAULT_DIR": "/vault/exec",
            "JWKS_URL": "http://loop-auth:8083/.well-known/jwks.json",
            "TZ": "Asia/Seoul",
            "OPENAI_API_KEY": "practice-openai-key",
            "ANTHROPIC_API_KEY": "practice-anthropic-key",
        },
    },
}


@pytest.mark.parametrize("service", CONTRACT)
def test_a_container_is_exactly_what_the_contract_says(nas: Nas, service: str) -> None:
    """Every field of the contract, and nothing of its kind beside it."""
    contract, details = CONTRACT[service], nas.inspect(service)
    config, host = details["Config"], details["HostConfig"]
    image = json.loads(nas.docker("image", "inspect", f"{service}:latest"))[0]
    inside, outside = contract["port"]
    environment = dict(line.split("=", 1) for line in set(config["Env"]) - set(image["Config"]["Env"]))

    assert details["Name"] == f"/{service}"
    assert re.fullmatch(contract["image"], config["Image"])
    assert config["Image"] in image["RepoTags"]
    assert details["Image"] == image["Id"]
    assert host["PortBindings"] == {inside: [{"HostIp": "", "HostPort": outside}]}
    assert set(host["Binds"]) == contract["binds"]
    assert environment == {**contract["environment"], "OAUTH_ISSUER": f"https://127.0.0.1:{lab_ports()['https']}"}
    assert host["RestartPolicy"] == {"Name": "unless-stopped", "MaximumRetryCount": 0}
    assert set(details["NetworkSettings"]["Networks"]) == {"loop"}
    assert host["NetworkMode"] == "loop"
    assert not host["Links"]
    assert not host["Privileged"]
    assert not host["CapAdd"]
    assert config["Cmd"] == image["Config"]["Cmd"]
    assert config["Entrypoint"] == image["Config"]["Entrypoint"]
    assert config["User"] == image["Config"]["User"]
    assert config["WorkingDir"] == image["Config"]["WorkingDir"]
    assert (host.get("Tmpfs") or {}) == contract["hidden"]
    assert config["StopTimeout"] == contract["stop_timeout"]
    assert set(config["Labels"]) == {"loopdeploy.config", "loopdeploy.release"}
    assert config["Labels"]["loopdeploy.release"] == config["Image"].partition(":")[2]


@pytest.mark.parametrize("service", CONTRACT)
def test_a_container_has_a_health_check_and_a_bounded_log(nas: Nas, service: str) -> None:
    """A wedged service is seen, and its log cannot fill the disk."""
    details = nas.inspect(service)
    assert details["State"]["Health"]["Status"] == "healthy"
    assert details["HostConfig"]["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}


def test_loop_api_reaches_loop_auth_by_its_name(nas: Nas) -> None:
    """What --link gave, the network gives."""
    code = "import os, urllib.request as u; print(u.urlopen(os.environ['JWKS_URL'], timeout=5).read().decode())"
    keys = json.loads(nas.docker("exec", "loop-api", "python", "-c", code))["keys"]
    assert keys == nas.get(8084, "/.well-known/jwks.json")["keys"]
    assert keys[0]["kty"] == "RSA"
    assert "d" not in keys[0]


def test_the_lab_is_reached_on_loopback_alone(lab: Nas) -> None:
    """Nothing of the practice NAS is open to the network."""
    result = command("/usr/bin/env", "docker", "port", "loopdeploy-lab")
    addresses = {line.split(" -> ")[1].rsplit(":", 1)[0] for line in result.stdout.splitlines()}
    assert addresses == {"127.0.0.1"}
