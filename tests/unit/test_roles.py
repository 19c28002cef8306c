"""What a role documents is what it takes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from loopdeploy.explain import HEALTH_TASK
from loopdeploy.explain import REACHED_TASK
from loopdeploy.explain import REPORT_TASK
from loopdeploy.progress import HEALED

ROLES = Path(__file__).resolve().parents[2] / "roles"
SERVICES = ["loop_auth", "loop_api"]
# A vault is no place to document; these come from the inventory, too.
SHARED = {"loop_docker", "loop_state_dir", "loop_lab_dir"}


def specs(role: str) -> dict[str, dict[str, dict[str, object]]]:
    """Return the options of each entry point of ``role``."""
    text = (ROLES / role / "meta" / "argument_specs.yml").read_text()
    return {name: spec["options"] for name, spec in yaml.safe_load(text)["argument_specs"].items()}


def defaults(role: str) -> dict[str, object]:
    """Return the defaults of ``role``."""
    return dict(yaml.safe_load((ROLES / role / "defaults" / "main.yml").read_text()))


@pytest.mark.parametrize("role", ["loop_auth", "loop_api", "loop_service", "loop_lab"])
def test_every_default_is_documented_with_its_value(role: str) -> None:
    """What an operator may set stands in argument_specs, and nothing else does."""
    documented = {name: option for spec in specs(role).values() for name, option in spec.items()}
    optional = {name for name, option in documented.items() if not option.get("required")}
    assert optional == set(defaults(role))
    for name, option in documented.items():
        if "default" in option:
            assert option["default"] == defaults(role)[name]


@pytest.mark.parametrize("role", ["loop_service", "loop_lab"])
def test_every_entry_point_is_documented(role: str) -> None:
    """Each file that a playbook names has its arguments written down."""
    named = {"main"} if role == "loop_lab" else set()
    for playbook in (ROLES.parent / "playbooks").glob("*.yml"):
        for play in yaml.safe_load(playbook.read_text()):
            for task in play.get("tasks", []):
                call = task.get("ansible.builtin.include_role") or task.get("ansible.builtin.import_role") or {}
                if call.get("name") == role:
                    named.add(call.get("tasks_from", "main"))
    assert named <= set(specs(role))


@pytest.mark.parametrize("role", SERVICES)
def test_a_service_role_only_declares(role: str) -> None:
    """It has no task at all; what is done with its declaration stands in one place."""
    assert sorted(path.name for path in (ROLES / role).iterdir()) == ["defaults", "meta"]
    names = {name.removeprefix(f"{role}_") for name in defaults(role)}
    assert {"container", "build", "rollout", "port"} <= names


def tasks(found: Any) -> Iterator[dict[str, Any]]:
    """Return every task in what a file of tasks holds, those in blocks, too."""
    for task in found or []:
        yield task
        for section in ("block", "rescue", "always"):
            yield from tasks(task.get(section))


def test_what_of_a_declaration_is_not_refused_is_passed_on() -> None:
    """A key that is accepted and then forgotten would make another container than the one that was declared."""
    role = ROLES / "loop_service"
    [made, *_] = tasks(yaml.safe_load((role / "tasks" / "create.yml").read_text())[0]["block"])
    variables = yaml.safe_load((role / "vars" / "main.yml").read_text().replace("!unsafe ", ""))
    passed_on = variables["__loop_service_passed_on"]
    # The rest is loopdeploy's own.
    own = {"name", "image", "pull", "state", "default_host_ip", "tmpfs", "labels"}
    assert sorted(set(made["community.docker.docker_container"]) - own) == passed_on
    for service in SERVICES:
        declared = defaults(service)[f"{service}_container"]
        assert isinstance(declared, dict) and set(declared) <= set(passed_on)


@pytest.mark.parametrize("file", ["build", "create", "explain"])
def test_task_that_words_a_failure_has_the_name_of_the_step_that_failed(file: str) -> None:
    """The history shows the name of the last task that failed."""
    path = ROLES / "loop_service" / "tasks" / f"{file}.yml"
    words = [task for task in tasks(yaml.safe_load(path.read_text())) if "ansible.builtin.fail" in task]
    assert [task["name"] for task in words] == ["{{ ansible_failed_task.name }}"]


def test_history_learns_the_step_whose_failure_was_worded(tmp_path: Path) -> None:
    """Ansible itself names it so, whatever ran between the two."""
    failing = {"name": "Build {{ 'loop-api' }}", "ansible.builtin.fail": {"msg": "no"}}
    between = {"name": "Look", "ansible.builtin.debug": {"msg": "x"}}
    worded = {"name": "{{ ansible_failed_task.name }}", "ansible.builtin.fail": {"msg": "worded"}}
    step = {"name": "Build or say why not", "block": [failing], "rescue": [between, worded]}
    told = "{{ ansible_failed_task.name }}: {{ ansible_failed_result.msg }}"
    tell = {"name": "Tell", "ansible.builtin.copy": {"content": told, "dest": str(tmp_path / "told")}}
    tell["vars"] = {"ansible_python_interpreter": sys.executable}
    play = {"hosts": "all", "gather_facts": False, "tasks": [{"name": "Try", "block": [step], "rescue": [tell]}]}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    (tmp_path / "hosts.yml").write_text("all: {hosts: {nas: {ansible_connection: local}}}")
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "hosts.yml", "play.yml"]
    result = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "told").read_text() == "Build loop-api: worded"


def test_command_knows_tasks_by_the_names_that_they_have() -> None:
    """What it tells of them depends on it."""
    files = (ROLES / "loop_service" / "tasks").glob("*.yml")
    names = {task["name"] for file in files for task in tasks(yaml.safe_load(file.read_text()))}
    assert {HEALED, HEALTH_TASK, REACHED_TASK, REPORT_TASK} <= names
