"""A verb by Ansible alone, with a script in the place of ssh: what `loop_services` may name."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from loopdeploy.errors import LoopdeployError
from loopdeploy.runner import run_playbook
from loopdeploy.target import Target
from tests.unit.test_doctor_playbook import here as here
from tests.unit.test_doctor_playbook import variables

# Tells of one container that it is healthy, whatever it is asked, and with what it was called.
DOCKER = """#!/bin/sh
echo "$*" >>{here}/asked
echo 'loop-api loop-api:1 Up 2 minutes (healthy) '
"""


@pytest.fixture
def target(here: Path) -> Target:
    """Return a NAS that is this machine."""
    (here / "docker").write_text(DOCKER.format(here=here))
    (here / "docker").chmod(0o755)
    nas = variables(here, ansible_python_interpreter=sys.executable, loop_docker=str(here / "docker"))
    (here / "hosts.yml").write_text(json.dumps({"loop": {"hosts": {"nas": nas}}}))
    return Target(inventory=str(here / "hosts.yml"))


@pytest.mark.parametrize("verb", ["rebuild", "restart"])
def test_service_that_there_is_not_is_refused_in_a_sentence(target: Target, verb: str) -> None:
    """The command knows its services; who calls Ansible alone would read of a variable that is undefined."""
    with pytest.raises(LoopdeployError) as error:
        run_playbook(verb, target, loop_services=["loop-api", "nginx"])
    assert str(error.value) == (
        "nas: Require services that there are: There is no service nginx: loop_services may be loop-auth or loop-api,"
        " or both in a list; what runs was not touched."
    )


@pytest.mark.parametrize("named", ["loop-api", ["loop-api"]])
def test_status_of_one_service_needs_no_list(here: Path, target: Target, named: object) -> None:
    """As `-e loop_services=loop-api` gives it."""
    run_playbook("status", target, loop_services=named)
    assert (here / "asked").read_text().split("--filter ")[1:] == ["name=^loop-api$\n"]
