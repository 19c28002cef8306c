"""``--check`` tells and does nothing, on a NAS that has nothing and on one that has everything."""

from __future__ import annotations

import pytest

from tests.lab.conftest import ROOT
from tests.lab.conftest import Nas
from tests.lab.conftest import command
from tests.lab.conftest import loopdeploy
from tests.lab.test_ansible_playbook import ansible_playbook

PLAYBOOKS = sorted(file.name for file in (ROOT / "playbooks").glob("*.yml"))


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_check_passes_on_a_deployed_nas_and_changes_nothing(nas: Nas, playbook: str) -> None:
    """Containers, images, networks, state and checkout stay what they are."""
    before = nas.snapshot()
    result = ansible_playbook(playbook, "--check", "--diff")
    assert result.returncode == 0, result.stdout
    assert nas.snapshot() == before


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_check_passes_on_an_empty_nas_and_changes_nothing(empty_nas: Nas, playbook: str) -> None:
    """A first look before a first deployment."""
    before = empty_nas.snapshot()
    result = ansible_playbook(playbook, "--check", "--diff")
    assert result.returncode == 0, result.stdout
    assert empty_nas.snapshot() == before


def test_the_commands_option_reaches_ansible(nas: Nas) -> None:
    """What ``loopdeploy --check`` says it would do, it does not do."""
    nas.docker("rm", "--force", "loop-api")
    before = nas.snapshot()
    result = loopdeploy("rebuild", "--check", "--diff")
    assert result.returncode == 0, result.stderr
    assert "loop-api would be replaced" in result.stdout
    assert command("loopdeploy", "lab", "down", "--check").returncode == 0
    assert nas.snapshot() == before


def test_check_of_both_counts_on_the_first_for_the_second(nas: Nas) -> None:
    """loop-api needs loop-auth, which a deployment of both makes beforehand."""
    nas.docker("rm", "--force", "loop-auth")
    before = nas.snapshot()
    result = loopdeploy("rebuild-all", "--check")
    assert result.returncode == 0, result.stderr
    assert "loop-auth would be replaced" in result.stdout
    assert "loop-auth is not there" in loopdeploy("rebuild", "--force", "--check").stderr
    assert nas.snapshot() == before
