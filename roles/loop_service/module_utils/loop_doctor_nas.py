"""What doctor.sh told of the NAS, each judged."""

from __future__ import annotations

import functools
from typing import Any
from typing import Callable

from ansible.module_utils.loop_doctor_containers import check_container
from ansible.module_utils.loop_doctor_containers import check_network
from ansible.module_utils.loop_doctor_files import check_api_key
from ansible.module_utils.loop_doctor_files import check_checkout
from ansible.module_utils.loop_doctor_files import check_dockerfiles
from ansible.module_utils.loop_doctor_files import check_env
from ansible.module_utils.loop_doctor_files import check_signing_keys
from ansible.module_utils.loop_doctor_files import check_sources
from ansible.module_utils.loop_doctor_files import check_space
from ansible.module_utils.loop_doctor_files import check_state
from ansible.module_utils.loop_doctor_told import Told
from ansible.module_utils.loop_finding import Finding
from ansible.module_utils.loop_finding import Verdict
from ansible.module_utils.loop_finding import failed
from ansible.module_utils.loop_finding import finding
from ansible.module_utils.loop_finding import ok
from ansible.module_utils.loop_finding import unasked
from ansible.module_utils.loop_finding import warning

# The oldest DSM with Container Manager, and the engine's oldest API that the modules speak.
OLDEST_DSM = (7, 2)
OLDEST_API = (1, 41)
# Seconds that two clocks may differ: what a login takes, and what a token's times bear.
CLOCK = 10
CLOCK_FAILED = 300

Check = Callable[[Told, Any], Verdict]


def nas_findings(told: Told | None, params: dict[str, Any]) -> list[Finding]:
    """Return a line for each thing on the NAS; None was told when there was no login as root."""
    no = unasked("there is no answer from the NAS")
    return [finding(subject, check(told, params) if told else no) for subject, check in checks(params)]


def checks(params: dict[str, Any]) -> list[tuple[str, Check]]:
    """Return what is judged, in the order of the table."""
    services = [(name, functools.partial(check_container, name)) for name in params["ports"]]
    keys = [(name, functools.partial(check_api_key, name)) for name in params["api_keys"]]
    return [*CHECKS, *keys, *services, ("network", check_network)]


def check_dsm(told: Told, params: dict[str, Any]) -> Verdict:
    """Judge the version of DSM."""
    if not told.has("dsm"):
        return warning("there is no /etc/synoinfo.conf, so this is no Synology: loopdeploy was made for DSM 7.2")
    version = told.one("dsm")
    if not version:
        return warning("/etc.defaults/VERSION names no version: loopdeploy was made for DSM 7.2")
    if _numbers(version) < OLDEST_DSM:
        return warning(f"{version} has no Container Manager: update DSM to 7.2, or set loop_docker to where docker is")
    return ok(version)


def check_python(told: Told, params: dict[str, Any]) -> Verdict:
    """Judge the NAS's Python by what the installed ansible-core can drive."""
    version, path, ansible = told.one("python"), params["python"], params["ansible"]
    oldest = params["oldest_python"]
    if not version:
        return failed(
            f"there is none at {path}: install it from DSM's Package Center, or set ansible_python_interpreter"
        )
    if _numbers(version) < _numbers(oldest):
        return failed(
            f"{path} is {version} and ansible-core {ansible} needs {oldest}: install ansible 12 beside loopdeploy, or a"
            " newer Python from DSM's Package Center and set ansible_python_interpreter"
        )
    return ok(f"{version}, and ansible-core {ansible} needs {oldest}")


def check_docker(told: Told, params: dict[str, Any]) -> Verdict:
    """Judge whether the Docker command is where the inventory says."""
    if told.one("docker"):
        return ok(told.one("docker"))
    return failed(
        f"there is none at {params['docker']}: install Container Manager, or set loop_docker in the inventory"
    )


def check_engine(told: Told, params: dict[str, Any]) -> Verdict:
    """Judge whether the engine answers, and speaks a new enough API."""
    if not told.one("docker"):
        return unasked("there is no Docker command")
    version, _, api = told.one("engine").partition(" ")
    if not version:
        return failed("it does not answer: start Container Manager in DSM's Package Center")
    if _numbers(api) < OLDEST_API:
        return failed(
            f"{version} speaks API {api} and 1.41 is needed: update Container Manager in DSM's Package Center"
        )
    return ok(f"{version}, API {api}")


def check_requests(told: Told, params: dict[str, Any]) -> Verdict:
    """Judge whether the NAS's Python has what the modules of community.docker need."""
    if not told.one("python"):
        return unasked("there is no Python")
    if not told.one("requests"):
        return failed(f"{params['python']} cannot import it: `loopdeploy bootstrap` brings it")
    return ok(told.one("requests"))


def check_clock(told: Told, params: dict[str, Any]) -> Verdict:
    """Judge how far the NAS's clock is from this machine's."""
    ahead = int(told.one("time")) - round(params["now"])
    if abs(ahead) <= CLOCK:
        return ok(f"{abs(ahead)} s {'ahead' if ahead > 0 else 'behind'}")
    text = (
        f"{abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'} this machine's: let DSM ask a time server, in its"
        " Control Panel, Regional Options, or set this machine's clock"
    )
    return failed(text) if abs(ahead) > CLOCK_FAILED else warning(text)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


CHECKS: list[tuple[str, Check]] = [
    ("DSM", check_dsm),
    ("Python", check_python),
    ("docker", check_docker),
    ("engine", check_engine),
    ("requests", check_requests),
    ("state directory", check_state),
    ("space for the state", functools.partial(check_space, "volume")),
    ("space for images", functools.partial(check_space, "images")),
    ("space for a build", functools.partial(check_space, "build")),
    ("LOOP checkout", check_checkout),
    ("Dockerfiles", check_dockerfiles),
    ("bind sources", check_sources),
    ("signing keys", check_signing_keys),
    (".env", check_env),
    ("clock", check_clock),
]
