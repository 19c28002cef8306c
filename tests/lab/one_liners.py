"""The old command sequence of two services, word for word but for the NAS's address and password."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.latency import one_liner
from loopdeploy.lab import LAB_PASSWORD
from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import DOCKER
from tests.lab.conftest import SERVICES
from tests.lab.conftest import Nas

ENV_FILE = f"{CHECKOUT}/.env"
KEYS = {"OPENAI_API_KEY": "old-openai-key", "ANTHROPIC_API_KEY": "old-anthropic-key"}
EXEC = "/volume1/LOOP_CLevel/vault/loop_exec"
PUBLIC_URL = "https://mcp.sosilab.synology.me"

RUN_AUTH = (
    f"{DOCKER} run -d --name loop-auth --restart unless-stopped -p 8084:8083"
    f" -v {CHECKOUT}/api/oauth:/app/api/oauth:rw"
    " -e OAUTH_DB_PATH=/app/api/oauth/oauth.db -e OAUTH_KEYS_DIR=/app/api/oauth/keys"
    f" -e OAUTH_ISSUER={PUBLIC_URL} -e TOKEN_EXPIRE_HOURS=720 -e TZ=Asia/Seoul loop-auth:latest"
)
RUN_API = (
    f"{DOCKER} run -d --name loop-api --restart unless-stopped -p 8082:8081 --link loop-auth:loop-auth"
    f" -v {CHECKOUT}:/vault:rw -v {EXEC}:/vault/exec:ro -v {CHECKOUT}/api/oauth/keys:/app/api/oauth/keys:ro"
    " -e VAULT_DIR=/vault -e EXEC_VAULT_DIR=/vault/exec -e JWKS_URL=http://loop-auth:8083/.well-known/jwks.json"
    f" -e OAUTH_ISSUER={PUBLIC_URL} -e TZ=Asia/Seoul"
    " -e OPENAI_API_KEY=$OPENAI_API_KEY -e ANTHROPIC_API_KEY=$ANTHROPIC_API_KEY loop-api:latest"
)
# What `rebuild-all` was. The keys came from a file that was sourced.
REBUILD_ALL = (
    f"{DOCKER} build -t loop-auth:latest -f {CHECKOUT}/Dockerfile.auth {CHECKOUT}",
    f"{DOCKER} stop loop-auth",
    f"{DOCKER} rm loop-auth",
    RUN_AUTH,
    f"{DOCKER} build -t loop-api:latest {CHECKOUT}",
    f"{DOCKER} stop loop-api",
    f"{DOCKER} rm loop-api",
    f"bash -c 'source {ENV_FILE}; {RUN_API}'",
)


def rebuild_all(directory: Path) -> None:
    """Type the old sequence, each line over a login of its own; raises CalledProcessError when one fails.

    ssh asks a program in ``directory`` for the password, because sshpass is not on every machine.
    """
    answer = directory / "answer"
    answer.write_text(f"#!/bin/sh\necho {LAB_PASSWORD}\n")
    answer.chmod(0o700)
    environment = {**os.environ, "SSH_ASKPASS": str(answer), "SSH_ASKPASS_REQUIRE": "force"}
    for line in REBUILD_ALL:
        command = one_liner(line)
        subprocess.run(
            command[command.index("ssh") :], check=True, capture_output=True, stdin=subprocess.DEVNULL, env=environment
        )


@contextmanager
def env_file(nas: Nas) -> Iterator[None]:
    """Let the file that the old lines sourced be on the NAS for a while."""
    lines = "".join(f"{name}={value}\n" for name, value in KEYS.items())
    nas.run("sh", "-c", f"umask 077; cat > {ENV_FILE}", stdin=lines)
    try:
        yield
    finally:
        nas.run("rm", "-f", ENV_FILE)


def without_what_loopdeploy_made(nas: Nas) -> None:
    """Remove what the old lines know nothing of: our network, and what is kept beside both services."""
    names = nas.docker("ps", "--all", "--format", "{{.Names}}").split()
    kept = [name for name in names if name.startswith(SERVICES) and name not in SERVICES]
    nas.docker("rm", "--force", "none", *kept)
    nas.docker("network", "rm", "loop")
