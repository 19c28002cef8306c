"""What must hold on a NAS before anything that runs is touched."""

from __future__ import annotations

import importlib
import os
import time
from typing import Any

from ansible.module_utils.loop_engine import Engine
from ansible.module_utils.loop_health import passes
from ansible.module_utils.loop_problem import Problem

# Seconds that a container has to answer.
ANSWERS = 5.0
LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp, see include/net/tcp_states.h


def check_docker(path: str) -> None:
    """Raise a Problem unless the Docker command stands at ``path``."""
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        raise Problem(
            f"There is no Docker command at {path}: install Container Manager, or set loop_docker in the inventory."
        )


def check_declaration(name: str, unknown: list[str]) -> None:
    """Raise a Problem when the declaration of ``name`` has keys that its container would be made without."""
    if unknown:
        raise Problem(
            f"The declaration of {name} has {' and '.join(unknown)}, without which the container would be made: remove"
            f" that from {name.replace('-', '_')}_container, or let roles/loop_service/tasks/create.yml pass it on;"
            f" {name} was not touched."
        )


def check_build(build: dict[str, str]) -> None:
    """Raise a Problem unless the Dockerfile of ``build`` exists."""
    path = os.path.join(build["path"], build["dockerfile"])
    if not os.path.isfile(path):
        raise Problem(
            f"There is no Dockerfile at {path}: set loop_dir to the LOOP checkout, or sync it;"
            " what runs was not touched."
        )


def check_binds(binds: list[str]) -> None:
    """Raise a Problem for the first bind source that does not exist.

    Synology's engine refuses a missing source, the stock engine makes an empty directory of it: both are wrong.
    """
    for bind in binds:
        source = bind.split(":")[0]
        if not os.path.exists(source):
            raise Problem(f"The volume's directory {source} does not exist: create it, or mend the inventory's path.")


def hide(hidden: list[dict[str, str]]) -> dict[str, list[str]]:
    """Return the mounts that hide what of ``hidden`` exists; for the rest the engine would make a place on the NAS."""
    files = [item["target"] for item in hidden if os.path.isfile(item["source"])]
    directories = [item["target"] for item in hidden if os.path.isdir(item["source"])]
    return {
        "hidden_files": [f"/dev/null:{target}:ro" for target in files],
        "hidden_directories": [f"{target}:ro,size=4k,mode=0555" for target in directories],
    }


def listening_ports() -> set[int]:
    """Return the TCP ports that something on this host listens on."""
    ports: set[int] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not os.path.exists(table):  # IPv6 may be off
            continue
        with open(table) as lines:
            rows = [line.split() for line in lines][1:]
        ports.update(int(row[1].rsplit(":", 1)[1], 16) for row in rows if row[3] == LISTEN)
    return ports


def own_name(container: dict[str, Any]) -> str:
    """Return the name of ``container`` itself; `docker run --link` gives it a second one, `/parent/alias`."""
    names: list[str] = container["Names"]
    return min(names, key=lambda name: name.count("/")).lstrip("/")


def check_ports(ports: list[str], container: str, running: list[dict[str, Any]]) -> None:
    """Raise a Problem for the first published port that neither is free nor belongs to ``container``."""
    holders = {
        port["PublicPort"]: own_name(other)
        for other in running
        for port in other["Ports"]
        if "PublicPort" in port and port["Type"] == "tcp"
    }
    listening = listening_ports()
    for published in ports:
        port = int(published.split(":")[-2])
        holder = holders.get(port, "another program" if port in listening else container)
        if holder != container:
            raise Problem(
                f"Port {port}, which {container} publishes, is taken by {holder}: stop that, or change the port."
            )


def apart(network: dict[str, Any] | None, neighbours: list[str], running: list[dict[str, Any]]) -> list[str]:
    """Return the neighbours that run and are not on ``network``."""
    there = {member["Name"] for member in network["Containers"].values()} if network else set()
    # One that is about to restart is on its network, though not listed, and could not be joined to it again.
    steady = {own_name(other) for other in running if other["State"] == "running"}
    return sorted(steady & set(neighbours) - there)


def can_import_requests() -> bool:
    """Return whether this Python really imports requests, which needs more than a directory of that name."""
    try:
        importlib.import_module("requests")
    except ImportError:
        return False
    return True


def check_links(name: str, engine: Engine, running: list[dict[str, Any]]) -> None:
    """Raise a Problem when a running container has a hand-made --link to ``name``, which breaks when it is replaced."""
    for other in running:
        details = engine.container(other["Id"]) or {"HostConfig": {}}
        links = details["HostConfig"].get("Links") or []
        if any(link.startswith(f"/{name}:") for link in links):
            raise Problem(
                f"{own_name(other)} has a hand-made --link to {name} and would lose it: run `loopdeploy rebuild` first,"
                " which puts it on the network instead."
            )


def check_needs(name: str, needs: list[str], engine: Engine) -> None:
    """Raise a Problem when a container of ``needs`` does not answer."""
    for other in needs:
        details = engine.container(other)
        if details is None:
            raise Problem(
                f"{other} is not there, and without it a new {name} would work worse than the one that runs: deploy"
                f" both with `loopdeploy rebuild-all`; {name} was not touched."
            )
        state = details["State"]["Status"]
        if state != "running" or not passes(engine, details, time.monotonic() + ANSWERS):
            raise Problem(
                f"{other} is {'not healthy' if state == 'running' else state}, and without it a new {name} would work"
                f" worse than the one that runs: look at `loopdeploy logs {other}`, run `loopdeploy start {other}`, and"
                f" then this again; {name} was not touched."
            )


def inspect(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return the facts of RETURN, or raise a Problem."""
    name, engine = params["container"], Engine(params["socket"])
    check_docker(params["docker"])
    details = engine.container(name)
    if details is None and params["required"] and not check_mode:
        raise Problem(f"There is no container {name} on this NAS: deploy it with `loopdeploy rebuild-all`.")
    check_declaration(name, params["unknown"])
    if params["build"]:
        check_build(params["build"])
    check_binds(params["binds"])
    running = engine.get("/containers/json") or []
    check_ports(params["ports"], name, running)
    if params["linked"]:
        check_links(name, engine, running)
    # Nothing can become worse where nothing runs.
    if details and details["State"]["Running"]:
        check_needs(name, params["needs"], engine)
    network = engine.get(f"/networks/{params['network']}") if params["network"] else None
    return {
        "exists": details is not None,
        "id": details["Id"] if details else "none",
        "running": bool(details and details["State"]["Running"]),
        "network": network is not None,
        "apart": apart(network, params["neighbours"], running),
        "requests": can_import_requests(),
        **hide(params["hidden"]),
        "release": time.strftime("%Y%m%dT%H%M%SZ-", time.gmtime()) + params["revision"],
    }
