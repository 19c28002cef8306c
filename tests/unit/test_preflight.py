"""What is refused before anything that runs is touched, with a scripted engine in the place of Docker."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingUnixStreamServer
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.common.yaml import yaml_load

Load = Callable[[str], ModuleType]
Inspect = Callable[..., dict[str, Any]]

UTILS = Path(__file__).resolve().parents[2] / "roles" / "loop_service" / "module_utils"
MODULE = UTILS.parent / "library" / "preflight.py"
# DSM's own Python is 3.8.
PYTHONS = sorted(Path.home().glob(".pyenv/versions/3.[0-9]*/bin/python"))
NEW_ENOUGH = [python for python in PYTHONS if int(python.parts[-3].split(".")[1]) >= 8]

# Imports both files under Ansible's names, as the module finds them on the NAS, and runs every check.
ON_THE_NAS = """
import importlib.util, json, sys, types
for name in ("ansible", "ansible.module_utils"):
    sys.modules[name] = types.ModuleType(name)
for name in ("loop_engine", "loop_preflight"):
    spec = importlib.util.spec_from_file_location("ansible.module_utils." + name, sys.argv[1] + "/" + name + ".py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
print(json.dumps(module.inspect(json.loads(sys.argv[2]), False)))
"""


class Engine(BaseHTTPRequestHandler):
    """Answers what its server was told to."""

    server: ScriptedEngine

    def do_GET(self) -> None:
        """Answer with the status and the body of the path, 404 when nothing was told."""
        status, body = self.server.answers.get(self.path, (404, b'{"message": "no such"}'))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else json.dumps(body).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing; a UNIX socket's client has no address to name."""


class ScriptedEngine(ThreadingUnixStreamServer):
    """An engine on a UNIX socket with the answers that a test gives it."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Engine)
        self.path = str(path)
        self.answers: dict[str, tuple[int, Any]] = {"/containers/json": (200, [])}

    def runs(self, name: str, *ports: int, names: list[str] | None = None) -> None:
        """Let a container run that publishes ``ports``."""
        published = [
            {"PrivatePort": 80, "Type": "tcp"},
            *({"PublicPort": port, "PrivatePort": 80, "Type": "tcp"} for port in ports),
        ]
        self.answers["/containers/json"][1].append(
            {"Names": names or [f"/{name}"], "Ports": published, "State": "running"}
        )
        self.answers[f"/containers/{name}/json"] = (200, {"Id": f"id of {name}", "State": {"Running": True}})


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[ScriptedEngine]:
    """Run a scripted engine in a thread."""
    with ScriptedEngine(tmp_path / "docker.sock") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def utils(load: Load, monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """Import the module's files under the names that Ansible gives them."""
    modules = {}
    for name in ("loop_engine", "loop_preflight"):
        modules[name] = load(f"loop_service/module_utils/{name}.py")
        monkeypatch.setitem(sys.modules, f"ansible.module_utils.{name}", modules[name])
    return modules


@pytest.fixture
def inspect(utils: dict[str, ModuleType], engine: ScriptedEngine) -> Inspect:
    """Return the check of a NAS on which everything is right but what the test changes."""

    def _inspect(check_mode: bool = False, **changes: object) -> dict[str, Any]:
        facts: dict[str, Any] = utils["loop_preflight"].inspect({**parameters(engine.path), **changes}, check_mode)
        return facts

    return _inspect


def parameters(path: str) -> dict[str, Any]:
    """Return the module's parameters; Python stands in for the Docker command."""
    return {
        "docker": sys.executable,
        "socket": path,
        "container": "loop-api",
        "required": False,
        "network": None,
        "neighbours": [],
        "binds": [],
        "ports": [],
        "build": None,
    }


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def refused(utils: dict[str, ModuleType], inspect: Inspect) -> Callable[..., str]:
    """Return the check as one that must refuse, and gives its sentence."""

    def _refused(**changes: object) -> str:
        with pytest.raises(utils["loop_engine"].Problem) as problem:
            inspect(**changes)
        return str(problem.value)

    return _refused


def test_empty_nas_is_ready(inspect: Inspect) -> None:
    """A first deployment finds nothing and is not refused."""
    facts = inspect()
    assert (facts["exists"], facts["running"], facts["network"]) == (False, False, False)


@pytest.mark.parametrize("running", [True, False])
def test_facts_tell_what_is_there(inspect: Inspect, engine: ScriptedEngine, running: bool) -> None:
    """A stopped container exists, a running one runs."""
    engine.answers["/containers/loop-api/json"] = (200, {"Id": "1a2b", "State": {"Running": running}})
    engine.answers["/networks/loop"] = (200, {"Name": "loop", "Containers": {}})
    facts = inspect(network="loop")
    assert (facts["exists"], facts["running"], facts["network"]) == (True, running, True)


@pytest.mark.parametrize(
    ("members", "state", "apart"),
    [(["loop-auth"], "running", []), ([], "running", ["loop-auth"]), ([], "restarting", [])],
)
def test_a_neighbour_that_runs_beside_the_network_is_named(
    inspect: Inspect, engine: ScriptedEngine, members: list[str], state: str, apart: list[str]
) -> None:
    """loop-api would not find a loop-auth that was made by hand."""
    engine.runs("loop-auth", names=["/loop-api/loop-auth", "/loop-auth"])
    engine.answers["/containers/json"][1][0]["State"] = state
    containers = {name: {"Name": name} for name in members}
    engine.answers["/networks/loop"] = (200, {"Name": "loop", "Containers": containers})
    assert inspect(network="loop", neighbours=["loop-auth"])["apart"] == apart


@pytest.mark.parametrize("found", [True, False])
def test_facts_tell_whether_python_has_requests(inspect: Inspect, monkeypatch: pytest.MonkeyPatch, found: bool) -> None:
    """DSM's Python has none, so it must be brought."""
    monkeypatch.setitem(sys.modules, "requests", ModuleType("requests") if found else None)
    assert inspect()["requests"] is found


def test_missing_docker_is_refused(refused: Callable[..., str]) -> None:
    """Container Manager may not be installed."""
    assert refused(docker="/nowhere/docker") == (
        "There is no Docker command at /nowhere/docker: install Container Manager, or set loop_docker in the inventory."
    )


def test_engine_that_is_down_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    """Without its socket the engine does not run."""
    text = refused(socket=str(tmp_path / "nowhere.sock"))
    assert text.startswith(f"The Docker engine does not answer at {tmp_path}/nowhere.sock (")
    assert text.endswith("): start Container Manager in DSM's Package Center.")


def test_engine_that_left_its_socket_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    """A crashed engine leaves a socket on which nobody listens."""
    path = str(tmp_path / "stale.sock")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    assert "Connection refused" in refused(socket=path)


@pytest.mark.parametrize("answer", [b"garbage\r\n\r\n", b""])
def test_socket_that_does_not_speak_http_is_refused(refused: Callable[..., str], tmp_path: Path, answer: bytes) -> None:
    """Something else may own the socket."""
    path = str(tmp_path / "other.sock")

    def reply() -> None:
        client, _ = other.accept()
        with client:
            client.recv(4096)
            client.sendall(answer)

    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen()
        thread = threading.Thread(target=reply)
        thread.start()
        text = refused(socket=path)
        thread.join()
    assert text.startswith(f"The Docker engine does not answer at {path} (")


def test_socket_that_does_not_speak_json_is_refused(refused: Callable[..., str], engine: ScriptedEngine) -> None:
    """Nor need it be an engine when it speaks HTTP."""
    engine.answers["/containers/loop-api/json"] = (200, b"<html>")
    assert refused() == f"What answers at {engine.path} is not the Docker engine: correct the path of its socket."


def test_engine_s_own_error_is_told(refused: Callable[..., str], engine: ScriptedEngine) -> None:
    """A 500 is not mistaken for a missing container."""
    engine.answers["/containers/loop-api/json"] = (500, b'{"message":"layer broken"}\n')
    assert refused() == 'The engine answers /containers/loop-api/json with 500: {"message":"layer broken"}'


def test_missing_dockerfile_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    """The checkout may not be where the inventory says."""
    assert refused(build={"path": str(tmp_path), "dockerfile": "Dockerfile"}) == (
        f"There is no Dockerfile at {tmp_path}/Dockerfile: set loop_dir to the LOOP checkout, or sync it."
    )


def test_dockerfile_that_exists_is_accepted(inspect: Inspect, tmp_path: Path) -> None:
    """The name may be another than Dockerfile."""
    (tmp_path / "Dockerfile.auth").touch()
    assert not inspect(build={"path": str(tmp_path), "dockerfile": "Dockerfile.auth"})["exists"]


def test_missing_bind_source_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    """The first missing directory is named."""
    assert refused(binds=[f"{tmp_path}:/vault:rw", f"{tmp_path}/exec:/vault/exec:ro"]) == (
        f"The volume's directory {tmp_path}/exec does not exist: create it, or mend the inventory's path."
    )


@pytest.mark.parametrize("form", ["{}:80", "127.0.0.1:{}:80"])
def test_free_port_is_accepted(inspect: Inspect, form: str) -> None:
    """Nobody holds the port of a first deployment."""
    assert not inspect(ports=[form.format(free_port())])["exists"]


def test_port_of_a_mere_connection_is_accepted(inspect: Inspect) -> None:
    """Only a port that something listens on is taken."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert not inspect(ports=[f"{client.getsockname()[1]}:80"])["exists"]


def test_port_of_another_container_is_refused(refused: Callable[..., str], engine: ScriptedEngine) -> None:
    """The holder is named, so that the operator can stop it."""
    engine.runs("grafana", 8082)
    assert refused(ports=["8082:8081"]) == (
        "Port 8082, which loop-api publishes, is taken by grafana: stop that, or change the port."
    )


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_port_of_another_program_is_refused(
    refused: Callable[..., str], family: socket.AddressFamily, address: str
) -> None:
    """A program outside Docker holds ports too, over IPv4 or IPv6."""
    try:
        taken = socket.create_server((address, 0), family=family)
    except OSError:
        pytest.skip(f"This machine has no {address}.")
    with taken:
        port = taken.getsockname()[1]
        assert f"Port {port}, which loop-api publishes, is taken by another program" in refused(ports=[f"{port}:80"])


@pytest.mark.parametrize("names", [["/loop-api"], ["/gateway/loop-api", "/loop-api"]])
def test_port_of_the_container_itself_is_accepted(inspect: Inspect, engine: ScriptedEngine, names: list[str]) -> None:
    """A rebuild finds its own port taken; a container made with --link has a second name."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        engine.runs("loop-api", port, names=names)
        assert inspect(ports=[f"{port}:8081"])["running"]


def test_missing_container_that_a_verb_needs_is_refused(refused: Callable[..., str]) -> None:
    """There is nothing to restart before the first deployment."""
    assert refused(required=True) == (
        "There is no container loop-api on this NAS: deploy it with `loopdeploy rebuild-all`."
    )


def test_missing_container_is_only_reported_in_check_mode(inspect: Inspect) -> None:
    """The deployment before may not have happened either."""
    assert not inspect(check_mode=True, required=True)["exists"]


def run(python: Path, program: str, *arguments: str) -> str:
    """Return what ``program`` prints under ``python``, where a warning is an error."""
    command = [str(python), "-I", "-B", "-W", "error", "-c", program, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.skipif(not any("3.8." in str(python) for python in NEW_ENOUGH), reason="There is no Python 3.8.")
@pytest.mark.parametrize("python", NEW_ENOUGH, ids=lambda python: str(python.parts[-3]))
def test_every_check_runs_on_every_python_since_dsm_s(python: Path, engine: ScriptedEngine, tmp_path: Path) -> None:
    """The NAS runs these files with its own Python and nothing installed."""
    port = free_port()
    engine.runs("loop-api", port)
    engine.answers["/networks/loop"] = (200, {"Name": "loop", "Containers": {}})
    (tmp_path / "Dockerfile").touch()
    wanted = {
        **parameters(engine.path),
        "network": "loop",
        "binds": [f"{tmp_path}:/vault:rw"],
        "ports": [f"{port}:80"],
        "build": {"path": str(tmp_path), "dockerfile": "Dockerfile"},
    }
    facts = json.loads(run(python, ON_THE_NAS, str(UTILS), json.dumps(wanted)))
    assert (facts["exists"], facts["running"], facts["network"]) == (True, True, True)
    run(python, "import pathlib, sys; compile(pathlib.Path(sys.argv[1]).read_text(), sys.argv[1], 'exec')", str(MODULE))


class Ended(Exception):
    """A module handed its result over."""


class Recorder:
    """Stands for AnsibleModule: takes its arguments, gives parameters, and ends with the result."""

    arguments: dict[str, Any] = {}
    params: dict[str, Any] = {}
    check_mode = False

    def __init__(self, **arguments: Any) -> None:
        Recorder.arguments = arguments

    def exit_json(self, **result: object) -> None:
        """End well."""
        raise Ended("ok", result)

    def fail_json(self, **result: object) -> None:
        """End with a failure."""
        raise Ended("failed", result)


@pytest.fixture
def module(load: Load, utils: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module with Recorder in the place of AnsibleModule."""
    basic = ModuleType("ansible.module_utils.basic")
    monkeypatch.setattr(basic, "AnsibleModule", Recorder, raising=False)
    monkeypatch.setitem(sys.modules, "ansible.module_utils.basic", basic)
    return load("loop_service/library/preflight.py")


def outcome(module: ModuleType, monkeypatch: pytest.MonkeyPatch, params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return how the module ended, and its result."""
    monkeypatch.setattr(Recorder, "params", params)
    with pytest.raises(Ended) as ended:
        module.main()
    kind, result = ended.value.args
    return kind, result


def test_module_gives_the_facts_that_it_documents(
    module: ModuleType, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RETURN names exactly what comes back, and nothing was changed."""
    kind, result = outcome(module, monkeypatch, parameters(engine.path))
    assert (kind, result.pop("changed")) == ("ok", False)
    assert set(result) == set(yaml_load(module.RETURN))


def test_module_fails_with_the_sentence(
    module: ModuleType, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A problem is a failed task with its sentence and no traceback."""
    kind, result = outcome(module, monkeypatch, {**parameters(engine.path), "docker": "/nowhere"})
    assert kind == "failed"
    assert result["msg"].startswith("There is no Docker command at /nowhere: ")


def test_documented_options_are_the_module_s_arguments(
    module: ModuleType, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Type, default and requiredness are documented as they are."""
    outcome(module, monkeypatch, parameters(engine.path))
    documented = yaml_load(module.DOCUMENTATION)
    assert documented["module"] == "preflight"
    assert undescribed(documented["options"]) == Recorder.arguments["argument_spec"]
    assert Recorder.arguments["supports_check_mode"] is True


def test_example_uses_only_documented_options(module: ModuleType) -> None:
    """What one copies from the example works."""
    [task] = yaml_load(module.EXAMPLES)
    options = yaml_load(module.DOCUMENTATION)["options"]
    assert set(task["preflight"]) <= set(options)
    assert set(task["preflight"]["build"]) == set(options["build"]["suboptions"])
    assert {name for name, option in options.items() if option.get("required")} <= set(task["preflight"])


def undescribed(options: dict[str, Any]) -> dict[str, Any]:
    """Return documented options in the words of an argument_spec."""
    specification = {}
    for name, option in options.items():
        rest = {key: value for key, value in option.items() if key not in ("description", "suboptions")}
        nested = {"options": undescribed(option["suboptions"])} if "suboptions" in option else {}
        specification[name] = {**rest, **nested}
    return specification
