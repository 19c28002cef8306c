"""A state directory that somebody else made: root neither runs what is in it nor writes into it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab.conftest import STATE
from tests.lab.conftest import Nas
from tests.lab.conftest import loopdeploy
from tests.lab.test_bad_input import moved
from tests.lab.test_bad_input import require

RUN = "/tmp/planted-was-run"
PLANT = f"""
mkdir -p $1/python-2.32.4/requests
echo "open('{RUN}', 'w')" > $1/python-2.32.4/requests/__init__.py
"""
MADE = {
    "link": f"mkdir -m 700 {STATE}.planted && set -- {STATE}.planted && {PLANT} ln -s {STATE}.planted {STATE}",
    "owner": f"set -- {STATE} && {PLANT} chmod 700 {STATE} && chown -R loopadmin {STATE}",
    "mode": f"set -- {STATE} && {PLANT} chmod 777 {STATE}",
}


@pytest.fixture
def planted(nas: Nas, request: pytest.FixtureRequest) -> Iterator[Nas]:
    """Put a state directory in the place of the right one that others may have written to."""
    with moved(nas, STATE):
        nas.run("sh", "-ec", MADE[request.param])
        yield nas
        nas.run("rm", "-rf", STATE, f"{STATE}.planted", RUN)


def require_refused(planted: Nas, *verbs: str) -> None:
    """Require that each of ``verbs`` says what to do, and that neither the directory nor what runs is touched."""
    before, lives = planted.run("find", f"{STATE}/", "-ls"), planted.lives()
    for verb in verbs:
        require(loopdeploy(verb), 1, f"The state directory {STATE} is not root's alone", "move it away on the NAS")
    assert planted.run("find", f"{STATE}/", "-ls") == before
    assert planted.lives() == lives
    assert planted.run("sh", "-c", f"ls {RUN} 2>/dev/null || true") == ""


@pytest.mark.parametrize("planted", MADE, indirect=True)
def test_state_directory_of_somebody_else_is_refused(planted: Nas) -> None:
    """Whatever makes it so."""
    require_refused(planted, "rebuild")


@pytest.mark.parametrize("planted", ["link"], indirect=True)
def test_every_verb_refuses_a_state_directory_of_somebody_else(planted: Nas) -> None:
    """But those that only look, which do not run what is in it."""
    require_refused(planted, "rebuild-all", "restart", "rollback", "recover", "unlock", "history", "bootstrap")
    for verb in ("logs", "status"):
        assert loopdeploy(verb).returncode == 0
    doctor = loopdeploy("doctor", "--json")
    states = {line["subject"]: line["state"] for line in json.loads(doctor.stdout)}
    assert (doctor.returncode, states["state directory"]) == (1, "failed")
    require_refused(planted)


def test_state_directory_that_was_moved_away_is_made_anew(nas: Nas) -> None:
    """As the sentence says."""
    with moved(nas, STATE):
        assert loopdeploy("rebuild").returncode == 0
        assert nas.run("stat", "-c", "%a %U", STATE).split() == ["700", "root"]
        nas.run("rm", "-rf", STATE)
