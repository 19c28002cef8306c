"""The NAS runs the modules with its own Python, and nothing installed."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.conftest import ROLES
from tests.unit.conftest import Outcome
from tests.unit.conftest import Run
from tests.unit.scripted_engine import Container
from tests.unit.scripted_engine import ScriptedEngine
from tests.unit.test_auth_backup import Auth
from tests.unit.test_auth_backup import auth as auth
from tests.unit.test_auth_backup import server as server
from tests.unit.test_container_swap import FAILURES
from tests.unit.test_doctor_nas import RIGHT
from tests.unit.test_doctor_nas import doctor_parameters
from tests.unit.test_preflight import free_port
from tests.unit.test_preflight import parameters

SERVICE = ROLES / "loop_service"
# DSM's own Python is 3.8.
PYTHONS = sorted(Path.home().glob(".pyenv/versions/3.[0-9]*/bin/python"))
NEW_ENOUGH = [python for python in PYTHONS if int(python.parts[-3].split(".")[1]) >= 8]
OLDEST = [python for python in NEW_ENOUGH if "/3.8." in str(python)]
pytestmark = pytest.mark.skipif(not OLDEST, reason="There is no Python 3.8.")

# Lets module_utils be found under Ansible's name, as they are on the NAS.
FOUND = """
import importlib, json, sys, types
for name, path in (("ansible", []), ("ansible.module_utils", [sys.argv[1]])):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = path
for name in ("engine", "health"):
    importlib.import_module("ansible.module_utils.loop_" + name).PAUSE = 0.001
"""
# Calls a function of one.
ON_THE_NAS = (
    FOUND
    + """
module = importlib.import_module("ansible.module_utils." + sys.argv[2])
print(json.dumps(getattr(module, sys.argv[3])(*json.loads(sys.argv[4]))))
"""
)
# Runs a module of library/ there as Ansible does, with a stand-in for AnsibleModule.
MODULE = (
    FOUND
    + """
import runpy
class AnsibleModule:
    check_mode = False
    def __init__(self, argument_spec, **more):
        given = json.loads(sys.argv[3])
        self.params = {name: given.get(name, option.get("default")) for name, option in argument_spec.items()}
    def exit_json(self, **result):
        print(json.dumps(["ok", result]))
        sys.exit()
    def fail_json(self, **result):
        print(json.dumps(["failed", result]))
        sys.exit()
sys.modules["ansible.module_utils.basic"] = types.ModuleType("basic")
sys.modules["ansible.module_utils.basic"].AnsibleModule = AnsibleModule
runpy.run_path(sys.argv[2], run_name="__main__")
"""
)
COMPILE = """
import pathlib, sys
for name in sys.argv[1:]:
    compile(pathlib.Path(name).read_text(), name, "exec")
"""


def call(python: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``program`` under ``python``, where a warning is an error."""
    command = [str(python), "-I", "-B", "-W", "error", "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def on_the_nas(python: Path, module: str, function: str, *arguments: Any) -> Any:
    """Return what a function of module_utils returns there."""
    result = call(python, ON_THE_NAS, str(SERVICE / "module_utils"), module, function, json.dumps(arguments))
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("python", NEW_ENOUGH, ids=lambda python: str(python.parts[-3]))
def test_every_file_compiles(python: Path) -> None:
    """No syntax that came later."""
    files = [*SERVICE.glob("library/*.py"), *SERVICE.glob("module_utils/*.py")]
    assert len(files) > 15
    assert call(python, COMPILE, *map(str, files)).stderr == ""


@pytest.mark.parametrize("python", NEW_ENOUGH, ids=lambda python: str(python.parts[-3]))
def test_every_check_runs(python: Path, engine: ScriptedEngine, tmp_path: Path) -> None:
    """A NAS on which everything is right passes."""
    (tmp_path / "Dockerfile").touch()
    engine.add("loop-api", run=True)
    engine.answers["/containers/json"] = (200, [])
    engine.answers["/networks/loop"] = (200, {"Name": "loop", "Containers": {}})
    wanted = {
        **parameters(engine.path),
        "network": "loop",
        "binds": [f"{tmp_path}:/vault:rw"],
        "ports": [f"{free_port()}:80"],
        "build": {"path": str(tmp_path), "dockerfile": "Dockerfile"},
    }
    facts = on_the_nas(python, "loop_preflight", "inspect", wanted, False)
    assert (facts["exists"], facts["running"], facts["network"]) == (True, True, True)


@pytest.mark.parametrize("python", NEW_ENOUGH, ids=lambda python: str(python.parts[-3]))
def test_doctor_judges(python: Path) -> None:
    """It runs on the controller, which need not be newer."""
    wanted = {**doctor_parameters(answer={"stdout": RIGHT}), "oldest_python": "3.8"}
    result = on_the_nas(python, "loop_doctor", "examine", wanted)
    assert (result["reached"], len(result["table"]) > 30) == (True, True)


def swap(engine: ScriptedEngine, state: str = "swapped") -> dict[str, Any]:
    """Return what the swap is asked for."""
    return {
        "name": "loop-api",
        "state": state,
        "state_dir": str(Path(engine.path).parent),
        "image": None,
        "latest": "loop-api:latest",
        "unproved": None,
        "down": "failed",
        "restart_policy": "unless-stopped",
        "timeout": 5,
        "socket": engine.path,
    }


@pytest.mark.parametrize("python", NEW_ENOUGH, ids=lambda python: str(python.parts[-3]))
def test_swap_and_rollback_run(python: Path, engine: ScriptedEngine) -> None:
    """There and back."""
    old = engine.add("loop-api", run=True)
    new = engine.add("loop-api-next", policy="no", image="sha256:new")
    result = on_the_nas(python, "loop_swap", "replace", swap(engine), False)
    assert (result["image"], new.name, new.status) == ("sha256:new", "loop-api", "running")
    on_the_nas(python, "loop_swap", "replace", swap(engine, "rolled_back"), False)
    assert (old.name, old.status, new.name) == ("loop-api", "running", "loop-api-previous")


def run_there(module: str, /, **params: Any) -> Outcome:
    """Run a module under the oldest Python; return how it ended, and its result."""
    paths = [str(SERVICE / "module_utils"), str(SERVICE / "library" / f"{module}.py")]
    result = call(OLDEST[0], MODULE, *paths, json.dumps(params))
    assert result.returncode == 0, result.stderr
    kind, facts = json.loads(result.stdout)
    return kind, facts


@pytest.mark.parametrize(("script", "reason"), FAILURES)
@pytest.mark.parametrize("state", ["swapped", "rolled_back"])
def test_failed_successor_gives_way_to_the_old_one(
    engine: ScriptedEngine, state: str, script: dict[str, Any], reason: str
) -> None:
    """The way back is what must not fail on the one Python that no developer has."""
    old = engine.add("loop-api", run=True)
    engine.add("loop-api-next" if state == "swapped" else "loop-api-previous", policy="no", **script)
    kind, result = run_there("container_swap", **{**swap(engine, state), "timeout": 1})
    assert (kind, result["rolled_back"]) == ("failed", True)
    assert reason.replace("60 s", "1 s") in result["msg"]
    assert (old.name, old.status, old.policy) == ("loop-api", "running", "unless-stopped")


def test_way_back_that_fails_is_healed(engine: ScriptedEngine) -> None:
    """Once its cause is gone."""
    old = engine.add("loop-api", run=True)
    engine.add("loop-api-next", policy="no", polls=0)
    old.refusal = "no such file"
    assert run_there("container_swap", **swap(engine))[1]["rolled_back"] is False
    old.refusal = ""
    assert run_there("container_swap", **swap(engine, "healed"))[1]["changed"] is True
    assert engine.names() == {"loop-api": "running"}


def test_keys_are_read_and_compared(engine: ScriptedEngine, auth: Auth) -> None:
    """Behind every change, also where nothing publishes them."""
    asked = {"container": "none", "url": "http://127.0.0.1:9/", "keys": str(auth.keys), "socket": engine.path}
    before = run_there("session_state", **asked)[1]["sessions"]
    assert run_there("session_state", before=before, timeout=0, **asked)[0] == "ok"
    (auth.keys / "k1.pem").write_text("another")
    assert run_there("session_state", before=before, timeout=0, **asked)[0] == "failed"


def test_backup_that_does_not_work_gives_way_to_what_was(auth: Auth, engine: ScriptedEngine, server: Container) -> None:
    """Made and brought back by that Python's own SQLite."""
    paths = {"database": str(auth.database), "keys": str(auth.keys), "directory": str(auth.backups)}
    assert run_there("auth_backup", **paths)[0] == "ok"
    (auth.keys / "k1.pem").rename(auth.keys / "k2.pem")
    engine.hook = lambda: setattr(server, "refusal", "no" if (auth.keys / "k1.pem").exists() else "")
    wanted = {"state": "restored", "backup": "latest", "container": "loop-auth", "socket": engine.path}
    kind, result = run_there("auth_backup", **paths, **wanted, state_dir=str(Path(engine.path).parent))
    assert (kind, result["rolled_back"], server.running) == ("failed", True, True)
    assert [key.name for key in auth.keys.iterdir()] == ["k2.pem"]


@pytest.mark.parametrize("request_", ["POST .*/stop", "POST .*name=loop-api$", "POST .*/start", "POST .*/exec"])
def test_process_that_is_really_killed_is_healed(run: Run, engine: ScriptedEngine, request_: str) -> None:
    """SIGKILL reaches it while it waits for the engine's answer."""
    engine.add("loop-api", run=True)
    engine.add("loop-api-next", policy="no")
    engine.fault(request_, after=True)
    engine.hang_up = kill_peer
    params = json.dumps([swap(engine), False])
    result = call(OLDEST[0], ON_THE_NAS, str(SERVICE / "module_utils"), "loop_swap", "replace", params)
    assert result.returncode == -signal.SIGKILL
    assert run("container_swap", **swap(engine, "healed"))[0] == "ok"
    assert [one.name for one in engine.containers if one.running] == ["loop-api"]
    assert not list(Path(engine.path).parent.glob("swap-*.json"))


def kill_peer(connection: socket.socket) -> None:
    """Kill the process at the other end; see SO_PEERCRED in unix(7)."""
    pid, _, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    os.kill(pid, signal.SIGKILL)
