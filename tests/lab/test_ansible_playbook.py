"""Every verb is a playbook that needs no loopdeploy command: ansible.cfg and the inventory are enough."""

from __future__ import annotations

import pytest

from tests.lab.conftest import LAB_INVENTORY
from tests.lab.conftest import ROOT
from tests.lab.conftest import VAULT_PASSWORD
from tests.lab.conftest import Nas
from tests.lab.conftest import Result
from tests.lab.conftest import command


def ansible_playbook(playbook: str, *options: str) -> Result:
    """Run a playbook of the repository as its README says."""
    inventory = ["-i", str(LAB_INVENTORY), "--vault-password-file", str(VAULT_PASSWORD)]
    return command("ansible-playbook", *inventory, f"playbooks/{playbook}", *options, cwd=ROOT)


@pytest.mark.parametrize("playbook", ["rebuild-all", "rebuild", "restart", "status", "logs", "start"])
def test_a_verb_is_a_playbook(nas: Nas, playbook: str) -> None:
    """Each passes, and leaves both services healthy."""
    result = ansible_playbook(f"{playbook}.yml")
    assert result.returncode == 0, result.stdout
    assert nas.healthy()


def test_stop_is_a_playbook(nas: Nas) -> None:
    """The one that is not to leave the service healthy."""
    assert ansible_playbook("stop.yml").returncode == 0
    assert not nas.inspect("loop-api")["State"]["Running"]
    assert nas.inspect("loop-auth")["State"]["Running"]


def test_one_list_narrows_a_playbook(nas: Nas) -> None:
    """``loop_services`` is the same for every verb."""
    auth, api = nas.lives()
    assert ansible_playbook("restart.yml", "-e", '{"loop_services": ["loop-auth"]}').returncode == 0
    assert nas.life("loop-auth") != auth
    assert nas.life("loop-api") == api


def test_an_unhealthy_service_fails_the_playbook_too(nas: Nas) -> None:
    """A pipeline that uses Ansible alone gets its answer."""
    nas.docker("stop", "loop-api")
    result = ansible_playbook("status.yml")
    assert result.returncode == 2
    assert "Not healthy: loop-api" in result.stdout
