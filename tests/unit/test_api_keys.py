"""Where loop-api's API keys come from, with real tasks on this machine, and that they are shown nowhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.conftest import ROLES
from tests.unit.conftest import Load

VAULT, FILE = "sk-from-the-vault", "sk-from-the-file"
ENV = f"# old\nexport OPENAI_API_KEY='{FILE}-o' # ours\nOTHER=$(touch ran)\nANTHROPIC_API_KEY=\"{FILE}-a\"\n"


@pytest.fixture
def sources(load: Load) -> Any:
    """Return the filter that tells where they come from."""
    return load("loop_service/filter_plugins/loop_env_file.py").FilterModule().filters()["loop_key_sources"]


def play(tmp_path: Path, *tasks: dict[str, Any], **variables: object) -> subprocess.CompletedProcess[str]:
    """Run ``tasks`` with both roles, at the highest verbosity."""
    declare = {"import_role": {"name": "loop_api", "rolespec_validate": False}}
    host = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "loop_dir": str(tmp_path)}
    host |= {"loop_exec_dir": "/exec", "loop_public_url": "https://x", "loop_health_interval": "5s"}
    play = {"hosts": "all", "gather_facts": False, "vars": {**host, **variables}, "tasks": [declare, *tasks]}
    (tmp_path / "play.json").write_text(json.dumps([play]))
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "-vvvv",
        "-i",
        "nas,",
        str(tmp_path / "play.json"),
    ]
    env = {**os.environ, "ANSIBLE_ROLES_PATH": str(ROLES), "ANSIBLE_HOME": str(tmp_path / "ansible")}
    return subprocess.run(command, capture_output=True, text=True, env=env, cwd=tmp_path)


def role(tasks_from: str) -> dict[str, Any]:
    """Return the task that takes a file of loop_service."""
    return {"import_role": {"name": "loop_service", "tasks_from": tasks_from}}


def require_keys(openai: str, anthropic: str) -> dict[str, Any]:
    """Return the task that compares what loop-api is declared with, without showing it."""
    names = {"OPENAI_API_KEY": openai, "ANTHROPIC_API_KEY": anthropic}
    that = [f"(loop_api_container.env.{name} | length, loop_api_container.env.{name}[-1:]) == {len(value), value[-1:]}"
            for name, value in names.items()]  # fmt: skip
    return {"ansible.builtin.assert": {"that": that, "quiet": True}}


@pytest.mark.parametrize(
    ("vault", "openai", "anthropic"),
    [
        ({}, f"{FILE}-o", f"{FILE}-a"),
        ({"vault_openai_api_key": "", "vault_anthropic_api_key": ""}, f"{FILE}-o", f"{FILE}-a"),
        ({"vault_openai_api_key": VAULT}, VAULT, f"{FILE}-a"),
    ],
)
def test_key_that_the_vault_does_not_have_comes_from_the_nas(
    tmp_path: Path, vault: dict[str, str], openai: str, anthropic: str
) -> None:
    """It is read, not run, and shown nowhere at -vvvv."""
    (tmp_path / ".env").write_text(ENV)
    result = play(tmp_path, role("env_file"), require_keys(openai, anthropic), **vault)
    assert result.returncode == 0, result.stdout
    assert FILE not in result.stdout + result.stderr
    assert not (tmp_path / "ran").exists()


def test_nas_without_the_file_has_empty_keys(tmp_path: Path) -> None:
    """A missing file was no error of the old commands."""
    result = play(tmp_path, role("env_file"), require_keys("", ""))
    assert result.returncode == 0, result.stdout


def test_vault_with_both_keys_needs_nothing_of_the_nas(tmp_path: Path) -> None:
    """So an unchanged rebuild has no more to ask."""
    vault = {"vault_openai_api_key": VAULT, "vault_anthropic_api_key": VAULT}
    assert play(tmp_path, require_keys(VAULT, VAULT), **vault).returncode == 0


def test_key_that_was_not_read_is_never_taken_for_empty(tmp_path: Path) -> None:
    """A deployment without its keys would be worse than none."""
    result = play(tmp_path, require_keys("", ""), vault_openai_api_key=VAULT)
    assert result.returncode == 2
    assert VAULT not in result.stdout + result.stderr


def test_file_that_cannot_be_understood_is_told_without_its_text(tmp_path: Path) -> None:
    """The line is named by its variable."""
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY='{FILE}\n")
    result = play(tmp_path, role("env_file"))
    assert result.returncode == 2
    assert "the quote in the line of OPENAI_API_KEY is not closed; mend it there" in result.stdout + result.stderr
    assert FILE not in result.stdout + result.stderr


KEYLESS = {"vault_openai_api_key": "", "vault_anthropic_api_key": VAULT}


@pytest.mark.parametrize(
    ("steps", "vault", "reads"),
    [
        ([["loop-api", "deploy"]], KEYLESS, True),
        ([["loop-auth", "ready"], ["loop-api", "ready"]], KEYLESS, True),
        ([["loop-api", "rollback"]], KEYLESS, True),
        ([["loop-auth", "deploy"]], KEYLESS, False),
        ([["loop-api", "restart"]], KEYLESS, False),
        ([["loop-api", "deploy"]], {**KEYLESS, "vault_openai_api_key": VAULT}, False),
    ],
)
def test_nas_is_asked_only_when_it_is_needed(
    tmp_path: Path, steps: list[list[str]], vault: dict[str, str], reads: bool
) -> None:
    """Each round trip is time of every run."""
    check = {"ansible.builtin.assert": {"that": f"__loop_service_keyless is {str(reads).lower()}"}}
    publish = {"import_role": {"name": "loop_service", "tasks_from": "nothing", "public": True}}
    (tmp_path / "roles" / "loop_service" / "tasks").mkdir(parents=True)
    (tmp_path / "roles" / "loop_service" / "tasks" / "nothing.yml").write_text(json.dumps([check]))
    for part in ("vars", "filter_plugins"):
        (tmp_path / "roles" / "loop_service" / part).symlink_to(ROLES / "loop_service" / part)
    result = play(tmp_path, publish, loop_service_steps=steps, **vault)
    assert result.returncode == 0, result.stdout


def test_source_is_told_and_never_the_value(sources: Any) -> None:
    """The vault's comes first."""
    keys = {"OPENAI_API_KEY": VAULT, "ANTHROPIC_API_KEY": ""}
    assert sources(keys, ENV, "/x/.env") == [
        "OPENAI_API_KEY comes from the vault",
        "ANTHROPIC_API_KEY comes from /x/.env",
    ]
    assert sources(keys, "", "/x/.env")[1] == "ANTHROPIC_API_KEY is empty: neither the vault nor /x/.env has it"
