"""Every verb is a playbook that needs no loopdeploy command: ansible.cfg and the inventory are enough."""

from __future__ import annotations

import re

import pytest

from tests.lab.conftest import LAB_INVENTORY
from tests.lab.conftest import ROOT
from tests.lab.conftest import SERVICES
from tests.lab.conftest import VAULT_PASSWORD
from tests.lab.conftest import Nas
from tests.lab.conftest import Result
from tests.lab.conftest import command


def ansible_playbook(playbook: str, *options: str) -> Result:
    """Run a playbook of the repository as its README says."""
    inventory = ["-i", str(LAB_INVENTORY), "--vault-password-file", str(VAULT_PASSWORD)]
    return command("ansible-playbook", *inventory, f"playbooks/{playbook}", *options, cwd=ROOT)


@pytest.mark.parametrize("playbook", ["rebuild-all", "rebuild"])
def test_a_rebuild_is_a_playbook(nas: Nas, playbook: str) -> None:
    """It makes the container that is missing, and leaves alone what runs as it is declared."""
    auth, api = nas.lives()
    nas.docker("rm", "--force", "loop-api")
    result = ansible_playbook(f"{playbook}.yml")
    assert result.returncode == 0, result.stdout
    assert nas.life("loop-api")[0] != api[0]
    assert nas.life("loop-auth") == auth
    assert nas.healthy()


def test_restart_is_a_playbook(nas: Nas) -> None:
    """The same container, begun anew."""
    auth, (container, started, _) = nas.lives()
    result = ansible_playbook("restart.yml")
    assert result.returncode == 0, result.stdout
    assert nas.life("loop-api")[0] == container and nas.life("loop-api")[1] != started
    assert nas.life("loop-auth") == auth
    assert nas.healthy()


def test_stop_and_start_are_playbooks(nas: Nas) -> None:
    """The same container, gone for a while; loop-auth runs on."""
    auth, (container, started, _) = nas.lives()
    result = ansible_playbook("stop.yml")
    assert result.returncode == 0, result.stdout
    assert not nas.inspect("loop-api")["State"]["Running"]
    assert nas.life("loop-auth") == auth
    result = ansible_playbook("start.yml")
    assert result.returncode == 0, result.stdout
    assert nas.life("loop-api")[0] == container and nas.life("loop-api")[1] != started
    assert nas.life("loop-auth") == auth
    assert nas.healthy()


@pytest.mark.parametrize(
    ("playbook", "shown"),
    [("status", r"{0} {0}:\S+ Up [^()]*\(healthy\)"), ("logs", r"{0}:\W+\d{{4}}-\d\d-\d\dT[\d:.]+Z ")],
)
def test_a_verb_that_only_looks_is_a_playbook(kept: Nas, playbook: str, shown: str) -> None:
    """It shows both services: a row that says how each is, or the lines of its log."""
    result = ansible_playbook(f"{playbook}.yml")
    assert result.returncode == 0, result.stdout
    for service in SERVICES:
        assert re.search(shown.format(service), " ".join(result.stdout.split())), result.stdout


def test_one_list_narrows_a_playbook(nas: Nas) -> None:
    """``loop_services`` is the same for every verb."""
    auth, api = nas.lives()
    assert ansible_playbook("restart.yml", "-e", '{"loop_services": ["loop-auth"]}').returncode == 0
    assert nas.life("loop-auth") != auth
    assert nas.life("loop-api") == api
    # One of them needs no list, for the verbs that only look, too.
    result = ansible_playbook("logs.yml", "-e", "loop_services=loop-api")
    assert result.returncode == 0, result.stdout
    assert "Read the log of loop-api" in result.stdout and "Read the log of loop-auth" not in result.stdout


def test_an_unhealthy_service_fails_the_playbook_too(nas: Nas) -> None:
    """A pipeline that uses Ansible alone gets its answer."""
    nas.docker("stop", "loop-api")
    result = ansible_playbook("status.yml")
    assert result.returncode == 2
    assert "Not healthy: loop-api" in result.stdout
