"""Which steps `rollback` takes, the real tasks with stubs in the place of what they call."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.unit.conftest import ROLES
from tests.unit.test_api_keys import play

ROLE = ROLES / "loop_service"
CALLED = ("witness", "backup", "told", "preflight", "release", "sessions")
# Says what the engine would, and fails as the real one does when there is nothing to go back to.
MODULE = """#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
names = ("name", "state", "state_dir", "latest", "timeout", "repository", "required")
module = AnsibleModule(argument_spec={{name: {{}} for name in names}}, supports_check_mode=True)
if not module.check_mode and {after!r} == "none" and module.params["state"] == "rolled_back":
    module.fail_json(msg="nothing is kept")
module.exit_json(changed=not module.check_mode, before={before!r}, after={after!r})
"""
RUNS = "/{} sha256:1a {{{{ __loop_service_config }}}} running healthy"


def rollback(
    tmp_path: Path,
    service: str = "loop-api",
    to: str = "",
    before: str = "r2",
    after: str = "r1",
    now: str = RUNS,
) -> tuple[int, list[str], str]:
    """Return with what the play ended, which files of tasks it took, and all that it said."""
    copy = tmp_path / "roles" / "loop_service"
    for part in ("tasks", "library"):
        (copy / part).mkdir(parents=True)
    for part in ("vars", "filter_plugins"):
        (copy / part).symlink_to(ROLE / part)
    (copy / "tasks" / "rollback.yml").symlink_to(ROLE / "tasks" / "rollback.yml")
    for name in CALLED:
        said = [{"name": "Say", "ansible.builtin.debug": {"msg": f"took {name}"}}]
        (copy / "tasks" / f"{name}.yml").write_text(json.dumps(said))
    for name in ("container_swap", "release_images"):
        (copy / "library" / f"{name}.py").write_text(MODULE.format(before=before, after=after))
    declare = {"import_role": {"name": "loop_auth", "rolespec_validate": False}}
    take = {"import_role": {"name": "loop_service", "tasks_from": "rollback", "rolespec_validate": False}}
    variables = {"__loop_service_now": now.format(service), "loop_service_name": service, "loop_service_release": to}
    extra = {"loop_state_dir": str(tmp_path), "loop_service_healthy_timeout": 1}
    keys = {"vault_openai_api_key": "sk", "vault_anthropic_api_key": "sk"}
    # The task's variables count more than the role's own.
    result = play(tmp_path, declare, {**take, "vars": {**variables, **extra}}, **keys)
    return result.returncode, re.findall(r"took (\w+)", result.stdout), result.stdout


@pytest.mark.parametrize(
    ("service", "steps"),
    [
        ("loop-api", ["witness", "told", "sessions"]),
        ("loop-auth", ["witness", "backup", "told", "sessions"]),
    ],
)
def test_kept_container_is_started_with_a_backup_where_the_service_has_one(
    tmp_path: Path, service: str, steps: list[str]
) -> None:
    """loop-auth alone knows something that may not be lost."""
    assert rollback(tmp_path, service)[:2] == (0, steps)


@pytest.mark.parametrize("service", ["loop-api", "loop-auth"])
def test_nothing_is_backed_up_when_nothing_is_kept(tmp_path: Path, service: str) -> None:
    """There is nothing to go back to."""
    code, steps, said = rollback(tmp_path, service, after="none")
    assert (code, steps) == (2, ["witness"])
    assert "nothing is kept" in said


@pytest.mark.parametrize("service", ["loop-api", "loop-auth"])
def test_release_that_runs_already_is_left_alone(tmp_path: Path, service: str) -> None:
    """It is said."""
    code, steps, said = rollback(tmp_path, service, to="r2")
    assert (code, steps) == (0, ["witness", "sessions"])
    assert f"{service} runs release r2 already, as it is declared; nothing was changed" in said


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("r1", RUNS),
        ("r2", RUNS.replace("running healthy", "exited unhealthy")),
        ("r2", "/{} sha256:1a 2-another running healthy"),
        ("none", ""),
    ],
)
def test_release_that_does_not_run_as_declared_is_put_in_place(tmp_path: Path, before: str, now: str) -> None:
    """Another one does, or it stopped, or was declared otherwise, or nothing is there."""
    assert rollback(tmp_path, to="r2", before=before, now=now)[:2] == (
        0,
        ["witness", "preflight", "release", "sessions"],
    )
