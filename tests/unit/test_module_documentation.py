"""What each own module documents is what it takes and returns."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.common.yaml import yaml_load

from tests.unit.conftest import ROLES
from tests.unit.conftest import Load
from tests.unit.conftest import Recorder
from tests.unit.conftest import Run
from tests.unit.scripted_engine import ScriptedEngine
from tests.unit.test_doctor_nas import doctor_parameters

MODULES = sorted(path.stem for path in (ROLES / "loop_service" / "library").glob("*.py"))
# Says only how a value may be written, or that it is no secret.
UNDOCUMENTED = {"no_log"}
# What any module may return.
COMMON = {"changed", "msg"}


@pytest.fixture(params=MODULES)
def module(request: pytest.FixtureRequest, load: Load) -> ModuleType:
    """Return each module in turn."""
    return load(f"loop_service/library/{request.param}.py")


def undescribed(options: dict[str, Any]) -> dict[str, Any]:
    """Return documented options in the words of an argument_spec."""
    specification = {}
    for name, option in options.items():
        rest = {key: value for key, value in option.items() if key not in ("description", "suboptions")}
        nested = {"options": undescribed(option["suboptions"])} if "suboptions" in option else {}
        specification[name] = {**rest, **nested}
    return specification


def test_documented_options_are_the_arguments(module: ModuleType, run: Run) -> None:
    """Type, choices, default and requiredness are documented as they are."""
    assert run(module.__name__)[0] == "refused"
    documented, arguments = yaml_load(module.DOCUMENTATION), Recorder.arguments
    taken = {
        name: {key: value for key, value in option.items() if key not in UNDOCUMENTED}
        for name, option in arguments["argument_spec"].items()
    }
    assert undescribed(documented["options"]) == taken
    assert arguments["supports_check_mode"] is (documented["attributes"]["check_mode"]["support"] == "full")
    assert documented["module"] == module.__name__


def test_documentation_is_complete(module: ModuleType) -> None:
    """Whoever reads `ansible-doc` finds what it does, in sentences."""
    documented = yaml_load(module.DOCUMENTATION)
    assert documented["short_description"] == (module.__doc__ or "").strip(".\n")
    assert all(sentence.endswith(".") for sentence in documented["description"])
    assert all(option["description"] for option in documented["options"].values())


def test_examples_use_what_is_documented(module: ModuleType) -> None:
    """What one copies from an example works."""
    options = yaml_load(module.DOCUMENTATION)["options"]
    for task in yaml_load(module.EXAMPLES):
        given = task[module.__name__]
        assert set(given) <= set(options)
        assert {name for name, option in options.items() if option.get("required")} <= set(given)
        assert all(value in options[name].get("choices", [value]) for name, value in given.items())


def test_tasks_of_the_role_use_what_is_documented(module: ModuleType) -> None:
    """A task with a mistyped option is found here, not on the NAS."""
    options = yaml_load(module.DOCUMENTATION)["options"]
    used = [task[module.__name__] for task in tasks() if module.__name__ in task]
    assert used
    assert all(set(call) <= set(options) for call in used)


def tasks(found: Any = None) -> list[dict[str, Any]]:
    """Return every task of the role, those in blocks, too."""
    if found is None:
        files = (ROLES / "loop_service" / "tasks").glob("*.yml")
        return [task for file in files for task in tasks(yaml_load(file.read_text()))]
    inner = [task.get(part, []) for task in found for part in ("block", "rescue", "always")]
    return [*found, *[task for block in inner if block for task in tasks(block)]]


@pytest.fixture
def results(run: Run, engine: ScriptedEngine, tmp_path: Path, home: Path) -> dict[str, list[dict[str, Any]]]:
    """Return what each module gives when it succeeds, in all of its states."""
    engine.answers["/containers/json"] = (200, [])
    state, docker = {"state_dir": str(tmp_path)}, {"socket": engine.path}
    engine.add("loop-api", run=True)
    engine.add("loop-api-candidate", port=None)
    engine.add("loop-api-next", policy="no")
    (tmp_path / "docker").touch(0o755)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "k1.pem").touch()
    files = {name: str(tmp_path / name) for name in ("database", "keys", "directory")}
    owner = {"token": "t"}
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("preflight", {"docker": str(tmp_path / "docker"), "container": "loop-api", **docker}),
        ("container_proof", {"name": "loop-api-candidate", **state, **docker}),
        ("container_swap", {"name": "loop-api", **state, **docker}),
        ("container_swap", {"name": "loop-api", "state": "rolled_back", **state, **docker}),
        ("container_swap", {"name": "loop-api", "state": "healed", **state, **docker}),
        ("authorized_login", {"user": "ann", "key": "ssh-ed25519 AAAA"}),
        ("deploy_lock", {"owner": owner, **state}),
        ("deploy_lock", {"state": "absent", **state}),
        ("session_state", {"container": "none", "url": "http://127.0.0.1:9/", "keys": files["keys"], **docker}),
        ("release_images", {"repository": "loop-api", **docker}),
        ("auth_backup", files),
        ("auth_backup", {**files, "state": "restored", "backup": "latest", "container": "loop-api", **state, **docker}),
        ("auth_backup", {**files, "state": "healed", "container": "loop-api", **state, **docker}),
    ]
    wanted.append(("doctor", doctor_parameters(answer={"unreachable": True})))
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in MODULES}
    for name, params in wanted:
        kind, result = run(name, **params)
        assert kind == "ok", result
        found[name].append(result)
    return found


def test_what_comes_back_is_documented(results: dict[str, list[dict[str, Any]]], load: Load) -> None:
    """RETURN names all of it, of its type, and nothing else."""
    types = {"str": str, "bool": bool, "list": list, "float": float, "dict": dict}
    for name, given in results.items():
        documented = yaml_load(load(f"loop_service/library/{name}.py").RETURN) or {}
        successes = {key for key, value in documented.items() if value["returned"] != "failure"}
        assert {key for result in given for key in result} - COMMON == successes, name
        for result in given:
            assert all(type(result[key]) is types[documented[key]["type"]] for key in set(result) - COMMON), name


def test_failed_swap_returns_what_is_documented(run: Run, engine: ScriptedEngine, tmp_path: Path) -> None:
    """Whether what ran before runs again decides the exit code."""
    engine.add("loop-api", run=True)
    engine.add("loop-api-next", policy="no", refusal="no")
    _, result = run("container_swap", name="loop-api", state_dir=str(tmp_path), socket=engine.path)
    assert set(result) == {"msg", "gap", "rolled_back"}
