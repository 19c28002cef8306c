"""What each command asks of run_playbook."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from click.testing import Result

from loopdeploy.cli import main
from loopdeploy.content import CONTENT
from loopdeploy.content import LAB_INVENTORY
from loopdeploy.init import init
from loopdeploy.lab import lab
from loopdeploy.target import Target
from loopdeploy.vault import vault

BOTH = ["loop-auth", "loop-api"]

Call = tuple[str, Target, dict[str, Any]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """Record the calls of run_playbook instead of running Ansible."""
    recorded: list[Call] = []

    def record(name: str, target: Target, **variables: object) -> None:
        given = {key: value for key, value in variables.items() if value is not None}
        recorded.append((name, replace(target), given))

    monkeypatch.setattr("loopdeploy.cli.run_playbook", record)
    monkeypatch.setattr("loopdeploy.lab.run_playbook", record)
    monkeypatch.delenv("LOOPDEPLOY_INVENTORY", raising=False)
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE", raising=False)
    return recorded


def loopdeploy(line: str, **env: str) -> Result:
    """Call the command as an operator would."""
    return CliRunner().invoke(main, line.split(), env=env)


def target_of(calls: list[Call]) -> Target:
    """Return the target of the only call."""
    [(_, target, _)] = calls
    return target


@pytest.mark.parametrize(
    ("line", "playbook", "variables"),
    [
        ("status", "status", {}),
        ("rebuild", "rebuild", {}),
        ("rebuild loop-auth", "rebuild", {"loop_services": ["loop-auth"]}),
        ("rebuild --force", "rebuild", {"loop_service_force": True}),
        ("rebuild-all", "rebuild-all", {}),
        ("rebuild-all --force", "rebuild-all", {"loop_service_force": True}),
        ("rollback", "rollback", {}),
        ("rollback loop-auth", "rollback", {"loop_services": ["loop-auth"]}),
        ("rollback --to 2026-a", "rollback", {"loop_service_release": "2026-a"}),
        ("restore --auth latest", "restore", {"loop_service_restore": "latest"}),
        ("bootstrap", "bootstrap", {}),
        ("recover", "recover", {}),
        ("unlock", "unlock", {}),
        ("history", "history", {}),
        ("history -n 3 --json", "history", {"loop_service_history_lines": 3, "loop_service_history_json": True}),
        ("doctor", "doctor", {}),
        ("doctor --json", "doctor", {"loop_service_doctor_json": True}),
        ("doctor --scan /dev/null", "doctor", {"loop_service_doctor_scan": ["/dev/null"]}),
        ("doctor --scan /dev/null /dev/zero", "doctor", {"loop_service_doctor_scan": ["/dev/null", "/dev/zero"]}),
        ("restart", "restart", {}),
        ("restart loop-auth", "restart", {"loop_services": ["loop-auth"]}),
        ("restart --all", "restart", {"loop_services": BOTH}),
        ("stop", "stop", {}),
        ("stop loop-api", "stop", {"loop_services": ["loop-api"]}),
        ("stop --all", "stop", {"loop_services": BOTH}),
        ("start", "start", {}),
        ("start loop-api", "start", {"loop_services": ["loop-api"]}),
        ("logs", "logs", {}),
        ("logs loop-api", "logs", {"loop_services": ["loop-api"]}),
        ("logs -n 7", "logs", {"loop_service_log_lines": 7}),
        (
            "logs --lines 7 --since 10m --grep ERR.*",
            "logs",
            {"loop_service_log_lines": 7, "loop_service_log_since": "10m", "loop_service_log_grep": "ERR.*"},
        ),
        ("lab up", "lab-up", {}),
        ("lab down", "lab-down", {}),
        ("lab reset", "lab-reset", {}),
        ("lab demo", "lab-demo", {}),
    ],
)
def test_verb_runs_its_playbook_with_its_variables(
    calls: list[Call], line: str, playbook: str, variables: dict[str, Any]
) -> None:
    """A verb is one playbook; what the operator leaves open, the playbook decides."""
    assert loopdeploy(line).exit_code == 0
    assert [(name, given) for name, _, given in calls] == [(playbook, variables)]


def test_every_command_has_a_playbook_and_every_playbook_a_command() -> None:
    """The command and ansible-playbook can do the same; only `lab ssh` is no playbook."""
    verbs = set(main.commands) - {"lab"}
    labs = {f"lab-{name}" for name in lab.commands if name != "ssh"}
    assert {playbook.stem for playbook in (CONTENT / "playbooks").glob("*.yml")} == verbs | labs


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("status", Target()),
        ("-i a status", Target(inventory="a")),
        ("status -i a", Target(inventory="a")),
        ("-i a status -i b", Target(inventory="b")),
        ("--limit a status --limit b", Target(limit="b")),
        ("--check status", Target(check=True)),
        ("status --check --diff", Target(check=True, diff=True)),
        ("-vv status", Target(verbose=2)),
        ("-vv status -v", Target(verbose=1)),
        ("--vault-password-file a status", Target(vault_password_file="a")),
        ("--vault-password-file a status --vault-password-file b", Target(vault_password_file="b")),
    ],
)
def test_option_counts_before_and_behind_the_verb(calls: list[Call], line: str, expected: Target) -> None:
    """The operator need not know where an option belongs; the later one wins."""
    assert loopdeploy(line).exit_code == 0
    assert target_of(calls) == expected


def test_one_call_leaves_nothing_for_the_next(calls: list[Call]) -> None:
    """A second call starts from the defaults."""
    loopdeploy("-i a --check status")
    loopdeploy("status")
    assert calls[1][1] == Target()


def test_inventory_comes_from_the_environment(calls: list[Call]) -> None:
    """A pipeline names its inventory once."""
    assert loopdeploy("status", LOOPDEPLOY_INVENTORY="env").exit_code == 0
    assert target_of(calls).inventory == "env"


def test_vault_password_file_comes_from_the_environment(calls: list[Call]) -> None:
    """Ansible's own variable is understood."""
    assert loopdeploy("status", ANSIBLE_VAULT_PASSWORD_FILE="env").exit_code == 0
    assert target_of(calls).vault_password_file == "env"


@pytest.mark.parametrize("line", ["-i a status", "status -i a"])
def test_option_wins_over_the_environment(calls: list[Call], line: str) -> None:
    """What is typed counts, before the verb too."""
    assert loopdeploy(line, LOOPDEPLOY_INVENTORY="env").exit_code == 0
    assert target_of(calls).inventory == "a"


@pytest.mark.parametrize("line", ["lab up", "-i production lab up", "lab up -i production"])
def test_lab_command_never_leaves_the_lab(calls: list[Call], line: str) -> None:
    """No option turns a lab command against a real NAS."""
    assert loopdeploy(line, LOOPDEPLOY_INVENTORY="production").exit_code == 0
    assert target_of(calls).inventory == str(LAB_INVENTORY)


@pytest.mark.parametrize(
    "line",
    [
        "explode",
        "lab explode",
        "rebuild nginx",
        "restart loop-api --all",
        "stop loop-auth --all",
        "logs -n 0",
        "logs -n many",
        "status loop-api",
        "rebuild --all",
        "restore",
        "rollback nginx",
        "history -n 0",
        "unlock loop-api",
        "doctor --scan /nowhere",
        "doctor loop-api",
    ],
)
def test_wrong_call_ends_with_2_and_starts_nothing(calls: list[Call], line: str) -> None:
    """A typing mistake never reaches the NAS."""
    assert loopdeploy(line).exit_code == 2
    assert calls == []


def test_help_names_every_verb() -> None:
    """`--help` is the table of contents."""
    text = loopdeploy("--help").output
    assert all(f"  {name} " in text for name in [*main.commands, "init", "vault"])


@pytest.mark.parametrize("group", ["", "lab ", "vault "])
def test_help_shows_each_command_whole_on_a_small_terminal(group: str) -> None:
    """80 columns are what a serial console has; nobody chooses a verb by half a sentence."""
    lines = CliRunner().invoke(main, f"{group}--help", env={"COLUMNS": "80"}).output.splitlines()
    listed = lines[lines.index("Commands:") + 1 :]
    assert max(map(len, lines)) <= 80
    # A line for each, and none is cut or goes on in the next one.
    assert [line for line in listed if not re.fullmatch(r"  [a-z-]+ +\S.*[^.]\.", line)] == []


def test_help_says_where_to_begin() -> None:
    """In one line that is not broken."""
    lines = CliRunner().invoke(main, "--help", env={"COLUMNS": "80"}).output.splitlines()
    assert "  Begin with `loopdeploy lab demo`; on your own NAS with `loopdeploy init`." in lines


def test_every_command_says_what_it_does() -> None:
    """A docstring is the help text."""
    commands: list[click.Command] = [main, lab, init, vault, *main.commands.values()]
    commands += [*lab.commands.values(), *vault.commands.values()]
    assert all(command.help for command in commands)


def test_lab_ssh_needs_a_lab(tmp_path: Path) -> None:
    """Without a practice NAS there is nothing to log in to."""
    result = loopdeploy("lab ssh", XDG_STATE_HOME=str(tmp_path))
    assert result.exit_code == 2
    assert "`loopdeploy lab up`" in result.output


def test_lab_ssh_checks_the_lab_s_own_host_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator's known_hosts stays as it is, and the command is passed on."""
    state = tmp_path / "loopdeploy" / "lab"
    state.mkdir(parents=True)
    (state / "ports.json").write_text('{"ssh": 2222}')
    started: list[list[str]] = []
    monkeypatch.setattr("os.execvp", lambda file, arguments: started.append(arguments))
    refused = loopdeploy("lab ssh docker -v", XDG_STATE_HOME=str(tmp_path))
    assert (refused.exit_code, started) == (2, []) and "no terminal" in refused.output
    monkeypatch.setattr("loopdeploy.lab.has_terminal", lambda: True)
    assert loopdeploy("lab ssh docker -v", XDG_STATE_HOME=str(tmp_path)).exit_code == 0
    known_hosts = f"UserKnownHostsFile={state}/known_hosts"
    assert started == [["ssh", "-p", "2222", "-o", known_hosts, "loopadmin@127.0.0.1", "docker", "-v"]]


def test_pattern_of_logs_is_checked_before_anything_is_asked() -> None:
    """A usage error, not what Ansible says of a failed expression."""
    result = loopdeploy("logs --grep (")
    assert result.exit_code == 2
    assert "no regular expression" in result.output


def test_interruption_of_the_import_shows_no_traceback(tmp_path: Path) -> None:
    """A command that was mistyped is ended within its first tenth of a second."""
    command = [sys.executable, "-X", "importtime", "-m", "loopdeploy", "status"]
    environment = {**os.environ, "HOME": str(tmp_path)}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment)
    assert process.stderr is not None
    # It comes early among what the command imports.
    assert any(line.endswith("loopdeploy.errors\n") for line in process.stderr)
    process.send_signal(signal.SIGINT)
    assert "Traceback" not in process.communicate(timeout=30)[1]
    assert process.returncode == 130


def test_no_command_writes_its_memory_to_a_disk(tmp_path: Path) -> None:
    """Passwords are in it; a kernel that hands a core dump to a program minds no limit but 1."""
    program = """
import atexit, resource, sys
from loopdeploy.__main__ import main
resource.setrlimit(resource.RLIMIT_CORE, [resource.getrlimit(resource.RLIMIT_CORE)[1]] * 2)
atexit.register(lambda: print(*resource.getrlimit(resource.RLIMIT_CORE)))
sys.argv[1:] = ["status", "-i", "nowhere"]
main()
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 2 and "There is no inventory" in result.stderr
    soft, hard = result.stdout.split()
    assert soft == ("0" if hard == "0" else "1")


@pytest.mark.parametrize(
    ("line", "advised"),
    [
        ("status -i none", "There is no inventory 'none': .*; make it with `loopdeploy -i none init`, name yours"),
        ("-i mine vault view", "There is no vault .*: make one with `loopdeploy -i mine init`."),
        ("vault view -i mine", "There is no vault .*: make one with `loopdeploy -i mine init`."),
        ("-i mine vault set vault_a", "There is no vault .*: make one with `loopdeploy -i mine init`."),
        (
            "init -i mine --pin",
            "hosts.yml names no address and port of one NAS: make it with `loopdeploy -i mine init`",
        ),
        ("vault view", "There is no inventory 'production': .*; make it with `loopdeploy init`, name yours"),
        ("-i mine lab ssh", "bring it up with `loopdeploy lab up`."),
    ],
)
def test_error_before_a_playbook_advises_for_the_same_nas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, advised: str
) -> None:
    """Copied, the command must not meet the default inventory."""
    (tmp_path / "inventory" / "mine").mkdir(parents=True)
    (tmp_path / "password").write_text("word")
    monkeypatch.chdir(tmp_path)
    result = loopdeploy(line, ANSIBLE_VAULT_PASSWORD_FILE="password", XDG_STATE_HOME=str(tmp_path))
    assert result.exit_code == 2
    assert re.search(advised, result.output), result.output
