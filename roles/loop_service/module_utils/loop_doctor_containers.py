"""The containers as doctor.sh told of them."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.loop_doctor_told import Told
from ansible.module_utils.loop_finding import Verdict
from ansible.module_utils.loop_finding import failed
from ansible.module_utils.loop_finding import ok
from ansible.module_utils.loop_finding import unasked
from ansible.module_utils.loop_finding import warning


def containers(told: Told) -> dict[str, list[str]]:
    """Return of each container that exists its status, its health, then ``network:NAME`` and ``link:NAME:PATH``."""
    found: dict[str, list[str]] = {}
    for line in told.all("container"):
        name, *rest = line.split()
        found[name] = rest
    return found


def check_container(name: str, told: Told, params: dict[str, Any]) -> Verdict:
    """Judge whether a container exists, runs and is healthy."""
    found = containers(told)
    if not told.one("engine"):
        return unasked("the engine does not answer")
    if not found:
        return warning("nothing is deployed yet: `loopdeploy rebuild-all` does it")
    if name not in found:
        return failed(f"it does not exist: `loopdeploy rebuild {name}`")
    status, health = found[name][:2]
    if status != "running":
        return failed(f"it is {status}: read `loopdeploy logs {name}`, then `loopdeploy start {name}`")
    if health == "none":
        return warning(f"it runs, made by hand without a health check: `loopdeploy rebuild {name}` adds one")
    if health == "starting":
        return warning("it is starting: ask again in half a minute")
    if health != "healthy":
        return failed(f"it runs and is {health}: read `loopdeploy logs {name}`, then `loopdeploy restart {name}`")
    return ok("runs, healthy")


def check_network(told: Told, params: dict[str, Any]) -> Verdict:
    """Judge whether loop-api finds loop-auth by its name."""
    found, network = containers(told), params["network"]
    if not told.one("engine"):
        return unasked("the engine does not answer")
    if not {"loop-api", "loop-auth"} <= set(found):
        return unasked("there are not both containers")
    apart = [name for name in sorted(found) if f"network:{network}" not in found[name]]
    if not apart:
        return ok(f"both on {network}")
    if any(part.startswith("link:/loop-auth:") for part in found["loop-api"]):
        return warning(f"loop-api has an old --link: `loopdeploy rebuild` puts both on the network {network}")
    return failed(
        f"{' and '.join(apart)} not on the network {network}, so that loop-api finds no keys:"
        " `loopdeploy rebuild --force` puts both there"
    )
