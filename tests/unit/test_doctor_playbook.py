"""The whole verb, with a script in the place of ssh: whatever goes wrong, there is a table and an exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loopdeploy.errors import LoopdeployError
from loopdeploy.errors import UnreachableError
from loopdeploy.runner import run_playbook
from loopdeploy.target import Target

PASSWORD = "right-to-the-nas"
# Runs its last argument here, unless it is told what to say instead.
SSH = """#!/bin/sh
echo >>{here}/logins
printf '%s\n' "$@" | grep ControlPath >>{here}/control-paths
[ ! -e {here}/refusal ] || {{ cat {here}/refusal >&2; exit 255; }}
for last; do :; done
exec sh -c "$last"
"""
# Asks for the password as Ansible wants it asked.
SUDO = """#!/bin/sh
for prompt; do case $prompt in *password:) break ;; esac; done
printf '%s' "$prompt" >&2
read -r password
[ "$password" = '{password}' ] || {{ echo 'Sorry, try again.' >&2; exit 1; }}
while [ "$1" != -u ]; do shift; done
shift 2
exec "$@"
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an inventory whose NAS is this machine, reached by the two scripts."""
    for name, text in (("ssh", SSH), ("sudo", SUDO)):
        (tmp_path / name).write_text(text.format(here=tmp_path, password=PASSWORD))
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "ansible"))
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE", raising=False)
    return tmp_path


def variables(here: Path, **changes: object) -> dict[str, Any]:
    """Return the NAS's variables; there is no engine, and no file of a NAS."""
    return {
        "ansible_host": "127.0.0.1",
        "ansible_port": 9,
        "ansible_user": "ann",
        "ansible_password": PASSWORD,
        "ansible_become_password": PASSWORD,
        "ansible_ssh_executable": str(here / "ssh"),
        "ansible_become_exe": str(here / "sudo"),
        "ansible_python_interpreter": "/nowhere/python",
        "loop_docker": "/nowhere/docker",
        "loop_dir": str(here / "LOOP"),
        "loop_exec_dir": str(here / "exec"),
        "loop_state_dir": str(here / "state"),
        "loop_health_interval": "5s",
        "loop_public_url": "https://127.0.0.1:9",
        "vault_openai_api_key": "sk-secret",
        **changes,
    }


def doctor(
    here: Path, capsys: pytest.CaptureFixture[str], check: bool = False, **changes: object
) -> tuple[LoopdeployError | None, dict[str, str]]:
    """Return with which error the verb ended, and the state of each line."""
    (here / "hosts.yml").write_text(json.dumps({"loop": {"hosts": {"nas": variables(here, **changes)}}}))
    error = None
    try:
        run_playbook("doctor", Target(inventory=str(here / "hosts.yml"), check=check), loop_service_doctor_json=True)
    except LoopdeployError as raised:
        error = raised
    printed = capsys.readouterr()
    assert "sk-secret" not in printed.out + printed.err
    assert "Traceback" not in printed.out + printed.err
    lines = json.loads(printed.out)
    return error, {line["subject"]: line["state"] for line in lines}


def logins(here: Path) -> int:
    """Return how often ssh was started."""
    return len((here / "logins").read_text().splitlines())


def test_every_doctor_logs_in_anew(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Over a connection that an earlier run kept it would not notice a password that became wrong meanwhile."""
    doctor(here, capsys)
    assert (here / "control-paths").read_text() == 'ControlPath="none"\n'


@pytest.fixture
def subjects(here: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines of a NAS that answers."""
    return list(doctor(here, capsys)[1])


def test_bare_nas_gets_its_table_and_fails(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without Python, engine, checkout and state; one login."""
    error, lines = doctor(here, capsys)
    assert type(error) is LoopdeployError and error.exit_code == 1
    assert error.message.startswith("nas: failed: port, Python, docker, state directory, LOOP checkout, Dockerfiles, ")
    assert (lines["login"], lines["sudo"], lines["OPENAI_API_KEY"]) == ("ok", "ok", "ok")
    assert logins(here) == 1
    assert not (here / "state").exists()


@pytest.mark.parametrize(
    ("refusal", "changes"),
    [
        ("ann@127.0.0.1: Permission denied (publickey,password).", {}),
        ("Connection timed out", {}),
        ("Host key verification failed.", {}),
        ("", {"ansible_become_password": "wrong"}),
    ],
)
def test_nas_that_cannot_be_asked_gets_the_same_table(
    here: Path, capsys: pytest.CaptureFixture[str], subjects: list[str], refusal: str, changes: dict[str, Any]
) -> None:
    """The login, or sudo, refused, after one attempt; exit code 3."""
    before = logins(here)
    if refusal:
        (here / "refusal").write_text(refusal)
    error, lines = doctor(here, capsys, **changes)
    assert isinstance(error, UnreachableError)
    assert list(lines) == subjects
    assert {lines[name] for name in ("DSM", "engine", "loop-api", "clock")} == {"not asked"}
    assert (lines["name"], lines["TLS"]) == ("ok", "failed")
    assert logins(here) == before + 1


def test_arguments_that_cannot_be_told_apart_are_a_line(
    here: Path, capsys: pytest.CaptureFixture[str], subjects: list[str]
) -> None:
    """Ansible stops before it asks ssh, and the table is whole all the same."""
    error, lines = doctor(here, capsys, ansible_ssh_common_args="-o 'ProxyJump=jump")
    assert isinstance(error, UnreachableError)
    assert (list(lines), lines["name"], lines["login"]) == (subjects, "failed", "not asked")


def test_port_that_the_inventory_does_not_name_is_ssh_s_to_name(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the operator's own configuration; Ansible gives ssh none, either."""
    (here / "config").write_text("Host *\n  Port 9\n")
    inventory = variables(here, ansible_ssh_common_args=f"-F {here / 'config'}")
    del inventory["ansible_port"]
    (here / "hosts.yml").write_text(json.dumps({"loop": {"hosts": {"nas": inventory}}}))
    with pytest.raises(LoopdeployError):
        run_playbook("doctor", Target(inventory=str(here / "hosts.yml")))
    [row] = [row for row in capsys.readouterr().out.splitlines() if row.split()[:2] == ["failed", "port"]]
    assert row.split()[2:5] == ["9", "does", "not"]


def test_check_mode_only_shows(here: Path, capsys: pytest.CaptureFixture[str], subjects: list[str]) -> None:
    """As every verb, it passes on a NAS that has nothing."""
    error, lines = doctor(here, capsys, check=True)
    assert error is None
    assert list(lines) == subjects


def test_check_mode_does_not_hide_a_nas_that_was_not_reached(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 3, as without it."""
    (here / "refusal").write_text("ann@127.0.0.1: Permission denied (publickey,password).")
    assert isinstance(doctor(here, capsys, check=True)[0], UnreachableError)


def test_table_is_for_a_person(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """State, subject, sentence."""
    (here / "hosts.yml").write_text(json.dumps({"loop": {"hosts": {"nas": variables(here)}}}))
    notes = here / "notes.md"
    notes.write_text("sshpass -p hunter2 ssh nas\n")
    with pytest.raises(LoopdeployError):
        run_playbook("doctor", Target(inventory=str(here / "hosts.yml")), loop_service_doctor_scan=[str(notes)])
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].split() == ["ok", "name", "127.0.0.1", "is", "an", "address"]
    assert rows[-1].startswith("failed     passwords in notes") and f"{notes}:1 shows" in rows[-1]
    assert "hunter2" not in "".join(rows)
