"""What is refused before anything that runs is touched, with a scripted engine in the place of Docker."""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils import loop_preflight
from ansible.module_utils.loop_problem import Problem

from tests.unit.conftest import Run
from tests.unit.scripted_engine import ScriptedEngine

Inspect = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True)
def nothing_runs(engine: ScriptedEngine) -> None:
    """Let no container run, but those that a test lets."""
    engine.answers["/containers/json"] = (200, [])


def let_run(engine: ScriptedEngine, name: str, *ports: int, names: list[str] | None = None) -> None:
    """Let a container run that publishes ``ports``."""
    published = [
        {"PrivatePort": 80, "Type": "tcp"},
        *({"PublicPort": port, "PrivatePort": 80, "Type": "tcp"} for port in ports),
    ]
    container = engine.add(name, run=True, port=None)
    engine.answers["/containers/json"][1].append(
        {"Id": container.id, "Names": names or [f"/{name}"], "Ports": published, "State": "running"}
    )


@pytest.fixture
def inspect(engine: ScriptedEngine) -> Inspect:
    """Return the check of a NAS on which everything is right but what the test changes."""

    def _inspect(check_mode: bool = False, **changes: object) -> dict[str, Any]:
        facts: dict[str, Any] = loop_preflight.inspect({**parameters(engine.path), **changes}, check_mode)
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
        "hidden": [],
        "ports": [],
        "build": None,
        "revision": "unknown",
        "linked": False,
        "unknown": [],
        "needs": [],
    }


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def refused(inspect: Inspect) -> Callable[..., str]:
    """Return the check as one that must refuse, and gives its sentence."""

    def _refused(**changes: object) -> str:
        with pytest.raises(Problem) as problem:
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
    let_run(engine, "loop-auth", names=["/loop-api/loop-auth", "/loop-auth"])
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


def test_declaration_that_would_not_come_true_is_refused(refused: Callable[..., str]) -> None:
    """A container that runs as root after all, and success reported, is worse than a sentence."""
    assert refused(unknown=["user", "dns_servers"]) == (
        "The declaration of loop-api has user and dns_servers, without which the container would be made: remove that"
        " from loop_api_container, or let roles/loop_service/tasks/create.yml pass it on; loop-api was not touched."
    )


def test_missing_dockerfile_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    """The checkout may not be where the inventory says."""
    assert refused(build={"path": str(tmp_path), "dockerfile": "Dockerfile"}) == (
        f"There is no Dockerfile at {tmp_path}/Dockerfile: set loop_dir to the LOOP checkout, or sync it;"
        " what runs was not touched."
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
    let_run(engine, "grafana", 8082)
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
        let_run(engine, "loop-api", port, names=names)
        assert inspect(ports=[f"{port}:8081"])["running"]


def test_missing_container_that_a_verb_needs_is_refused(refused: Callable[..., str]) -> None:
    """There is nothing to restart before the first deployment."""
    assert refused(required=True) == (
        "There is no container loop-api on this NAS: deploy it with `loopdeploy rebuild-all`."
    )


def test_missing_container_is_only_reported_in_check_mode(inspect: Inspect) -> None:
    """The deployment before may not have happened either."""
    assert not inspect(check_mode=True, required=True)["exists"]


def test_hand_made_link_is_refused_before_it_breaks(refused: Callable[..., str], engine: ScriptedEngine) -> None:
    """loop-api was started with --link to loop-auth, which is about to be replaced."""
    let_run(engine, "loop-api")
    (link,) = engine.answers["/containers/json"][1]
    engine.answers[f"/containers/{link['Id']}/json"] = (200, {"HostConfig": {"Links": ["/loop-auth:/loop-api/auth"]}})
    assert refused(container="loop-auth", linked=True).startswith("loop-api has a hand-made --link to loop-auth and")


@pytest.mark.parametrize("links", [None, ["/other:/loop-api/auth"], ["/loop-auth-2:/loop-api/auth"]])
def test_link_to_another_container_is_accepted(inspect: Inspect, engine: ScriptedEngine, links: object) -> None:
    """It does not break."""
    let_run(engine, "loop-api")
    (link,) = engine.answers["/containers/json"][1]
    engine.answers[f"/containers/{link['Id']}/json"] = (200, {"HostConfig": {"Links": links}})
    assert not inspect(container="loop-auth", linked=True)["exists"]


def test_release_has_time_and_revision(inspect: Inspect) -> None:
    """Whoever reads it finds the source."""
    assert re.fullmatch(r"\d{8}T\d{6}Z-1a2b3c4", inspect(revision="1a2b3c4")["release"])


def test_module_fails_with_the_sentence(run: Run, engine: ScriptedEngine) -> None:
    """A problem is a failed task with its sentence and no traceback."""
    kind, result = run("preflight", **{**parameters(engine.path), "docker": "/nowhere"})
    assert kind == "failed"
    assert result["msg"].startswith("There is no Docker command at /nowhere: ")


def test_what_is_hidden_is_hidden_where_it_exists(tmp_path: Path, inspect: Inspect) -> None:
    """A file by /dev/null, a directory by an empty file system; what is not there gets no place made for it."""
    (tmp_path / "oauth").mkdir()
    (tmp_path / ".env").touch()
    hidden = [{"source": str(tmp_path / name), "target": f"/vault/{name}"} for name in ("oauth", ".env", "nothing")]
    facts = inspect(hidden=hidden)
    assert facts["hidden_files"] == ["/dev/null:/vault/.env:ro"]
    assert facts["hidden_directories"] == ["/vault/oauth:ro,size=4k,mode=0555"]


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"status": "exited"}, "loop-auth is exited, and without it a new loop-api would work worse than"),
        ({"check": 1}, "loop-auth is not healthy, and without it"),
        (None, "loop-auth is not there, and without it"),
    ],
)
def test_new_container_is_refused_what_it_needs(
    inspect: Inspect, refused: Callable[..., str], engine: ScriptedEngine, state: dict[str, Any] | None, sentence: str
) -> None:
    """The keys that loop-api fetched are with the container; a new one would refuse everybody until loop-auth is up."""
    if state is not None:
        loop_auth = engine.add("loop-auth", run=True, port=None)
        for key, value in state.items():
            setattr(loop_auth, key, value)
    assert inspect(needs=["loop-auth"])["running"] is False  # nobody is served who could be served worse
    let_run(engine, "loop-api")
    told = refused(needs=["loop-auth"])
    assert told.startswith(sentence)
    assert ("`loopdeploy start loop-auth`" if state else "deploy both with `loopdeploy rebuild-all`") in told
    assert inspect(needs=[])["running"] is True


def test_new_container_that_finds_what_it_needs_is_ready(inspect: Inspect, engine: ScriptedEngine) -> None:
    """One that was made by hand declares no health check, and is believed."""
    let_run(engine, "loop-api")
    engine.add("loop-auth", run=True, port=None, verdict=None)
    assert inspect(needs=["loop-auth"])["running"] is True
