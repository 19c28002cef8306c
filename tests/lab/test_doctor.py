"""``doctor`` on the practice NAS: all is well, or the one fault that was planted is named; and nothing changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import STATE
from tests.lab.conftest import VAULT_PASSWORD
from tests.lab.conftest import Nas
from tests.lab.conftest import Result
from tests.lab.conftest import deploy
from tests.lab.conftest import loopdeploy
from tests.lab.test_ansible_playbook import ansible_playbook
from tests.lab.test_bad_input import moved

Inventory = Callable[..., Path]
Lines = dict[str, tuple[str, str]]
WRONG_PASSWORD = "wrong-on-purpose"
KEYS = f"{CHECKOUT}/api/oauth/keys"
# The practice NAS signs its own certificate, and no file is named to look for passwords in.
NOT_OK = {"TLS": "warning", "passwords in notes": "not asked"}


def lines_of(result: Result) -> Lines:
    """Return of each subject its state and sentence."""
    assert "Traceback" not in result.stdout + result.stderr
    return {line["subject"]: (line["state"], line["text"]) for line in json.loads(result.stdout)}


def examined(code: int, *argv: str | Path, inventory: str | Path = "lab") -> Lines:
    """Run the verb, require its exit code, and return its lines."""
    result = loopdeploy(*argv, "doctor", "--json", inventory=inventory)
    assert result.returncode == code, result.stdout + result.stderr
    return lines_of(result)


def faults(lines: Lines) -> set[str]:
    """Return what failed."""
    return {subject for subject, (state, _) in lines.items() if state == "failed"}


@pytest.fixture
def unchanged(nas: Nas) -> Iterator[Nas]:
    """Return the NAS, and require afterwards that nothing on it changed."""
    before = nas.snapshot()
    yield nas
    assert nas.snapshot() == before


def test_deployed_nas_has_nothing_to_heal(unchanged: Nas) -> None:
    """Every line is ok, with or without JSON, but for the certificate that nobody knows."""
    lines = examined(0)
    assert {subject: state for subject, (state, _) in lines.items() if state != "ok"} == NOT_OK
    table = deploy("doctor").stdout.splitlines()
    assert [row.split()[0] for row in table if not row.startswith("not asked")].count("ok") == len(lines) - len(NOT_OK)


def test_doctor_is_a_playbook(unchanged: Nas) -> None:
    """Ansible alone shows the same table."""
    result = ansible_playbook("doctor.yml")
    assert result.returncode == 0, result.stdout
    assert "/.well-known/jwks.json" in result.stdout


def test_nas_before_its_first_deployment_is_told_what_is_missing(empty_nas: Nas) -> None:
    """Nothing is made on it; `--check` is content with it."""
    before = empty_nas.snapshot()
    lines = examined(1)
    assert faults(lines) == {"state directory", "requests"}
    assert "`loopdeploy -i lab bootstrap`" in lines["state directory"][1]
    assert (lines["loop-api"][0], lines["/mcp"][0]) == ("warning", "not asked")
    assert loopdeploy("doctor", "--check").returncode == 0
    assert empty_nas.snapshot() == before


def test_stopped_container_is_told(nas: Nas) -> None:
    """With what the reverse proxy makes of it."""
    nas.docker("stop", "loop-auth")
    before = nas.snapshot()
    try:
        lines = examined(1)
        assert nas.snapshot() == before
    finally:
        deploy("start")
    assert "`loopdeploy -i lab start loop-auth`" in lines["loop-auth"][1]
    assert {"loop-auth", "/.well-known/jwks.json"} <= faults(lines)
    assert (lines["/health"][0], lines["loop-api"][0]) == ("ok", "ok")


def test_key_that_others_may_read_is_told(nas: Nas) -> None:
    """With the command that closes it, which does."""
    key = nas.run("sh", "-c", f"ls {KEYS}/*.pem | head -n 1").strip()
    nas.run("chmod", "0644", key)
    try:
        state, text = examined(1)["signing keys"]
        assert (state, f"`sudo chmod 600 {key}`" in text) == ("failed", True)
    finally:
        nas.run("chmod", "0600", key)
    assert faults(examined(0)) == set()


def test_env_that_others_may_read_is_told(nas: Nas) -> None:
    """Its names are told, its values are not."""
    nas.run("sh", "-c", f"umask 022; echo 'OPENAI_API_KEY=never-to-be-told' > {CHECKOUT}/.env")
    try:
        result = loopdeploy("doctor", "--json", "-vvvv")
        assert "never-to-be-told" not in result.stdout + result.stderr
        assert f"chmod 600 {CHECKOUT}/.env" in examined(1)[".env"][1]
    finally:
        nas.run("rm", f"{CHECKOUT}/.env")


@pytest.mark.parametrize(
    ("path", "subject", "words"),
    [
        (STATE, "state directory", f"there is no {STATE}: `loopdeploy -i lab bootstrap` makes it"),
        (f"{CHECKOUT}/Dockerfile", "Dockerfiles", f"there is no {CHECKOUT}/Dockerfile: sync the checkout"),
        (
            "/volume1/LOOP_CLevel/vault/loop_exec",
            "bind sources",
            "`sudo mkdir -p /volume1/LOOP_CLevel/vault/loop_exec`",
        ),
        ("/usr/bin/python3", "Python", "there is none at /usr/bin/python3: install it"),
        ("/run/docker.sock", "engine", "start Container Manager"),
        ("/etc/synoinfo.conf", "DSM", "no Synology"),
    ],
)
def test_what_is_missing_is_told(nas: Nas, path: str, subject: str, words: str) -> None:
    """A shell is enough to tell it, whatever else is gone."""
    with moved(nas, path):
        result = loopdeploy("doctor", "--json")
    lines = lines_of(result)
    assert result.returncode == (1 if lines[subject][0] == "failed" else 0)
    assert words in lines[subject][1]


def test_wrong_password_is_tried_once_and_leaves_a_whole_table(unchanged: Nas, inventory: Inventory) -> None:
    """What can be seen from here is judged all the same."""
    whole = list(examined(0))
    deploy("status")  # keeps a connection open, which the doctor does not take
    copy = inventory(vault_ssh_password=WRONG_PASSWORD)
    lines = examined(3, "--vault-password-file", VAULT_PASSWORD, inventory=copy)
    assert list(lines) == whole
    assert [lines[name][0] for name in ("name", "port", "host key", "login", "sudo")] == [
        "ok",
        "ok",
        "ok",
        "failed",
        "not asked",
    ]
    assert "tried once" in lines["login"][1]
    assert (lines["loop-api"][0], lines["/health"][0]) == ("not asked", "ok")


def test_wrong_sudo_password_is_told(unchanged: Nas, inventory: Inventory) -> None:
    """The login works."""
    lines = examined(
        3, "--vault-password-file", VAULT_PASSWORD, inventory=inventory(vault_sudo_password=WRONG_PASSWORD)
    )
    assert (lines["login"][0], lines["sudo"][0], lines["DSM"][0]) == ("ok", "failed", "not asked")
    assert "vault_sudo_password" in lines["sudo"][1]


def test_host_key_that_is_not_pinned_is_told(unchanged: Nas, inventory: Inventory, tmp_path: Path) -> None:
    """With its fingerprint, and no password given away."""
    arguments = f"-o UserKnownHostsFile={tmp_path}/none -o ControlPath=none"
    copy = inventory(ansible_ssh_common_args=arguments)
    lines = examined(3, "--vault-password-file", VAULT_PASSWORD, inventory=copy)
    assert (lines["host key"][0], lines["login"][0]) == ("failed", "not asked")
    assert "SHA256:" in lines["host key"][1]


def test_nas_that_is_off_is_told(inventory: Inventory) -> None:
    """Nothing listens there; nothing else is asked of it."""
    lines = examined(3, "--vault-password-file", VAULT_PASSWORD, inventory=closed(inventory()))
    assert [lines[name][0] for name in ("name", "port", "login")] == ["ok", "failed", "not asked"]


def closed(copy: Path) -> Path:
    """Let the inventory name a port on which nothing listens."""
    (copy / "hosts.yml").write_text(
        "loop: {hosts: {lab: {ansible_host: 127.0.0.1, ansible_user: loopadmin, ansible_port: 9}}}"
    )
    return copy


def test_password_in_a_note_is_told_and_not_shown(unchanged: Nas, tmp_path: Path) -> None:
    """File and line."""
    notes = tmp_path / "notes.md"
    notes.write_text("# NAS\n\nsshpass -p hunter2 ssh ann@nas 'echo hunter2 | sudo -S docker ps'\n")
    result = loopdeploy("doctor", "--scan", notes)
    assert result.returncode == 1
    assert f"{notes}:3 shows the password of `sshpass -p`" in result.stdout
    assert "hunter2" not in result.stdout + result.stderr
