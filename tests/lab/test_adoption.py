"""A NAS that was deployed by the old one-liners, literally, is taken over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import one_liners
from tests.lab.conftest import Nas
from tests.lab.conftest import deploy
from tests.lab.conftest import loopdeploy
from tests.lab.sign_in import make_user
from tests.services.auth.conftest import NAME

READ_KEYS = "import os, urllib.request as u; print(u.urlopen(os.environ['JWKS_URL'], timeout=5).read().decode())"


@pytest.fixture
def old_nas(nas: Nas, tmp_path: Path) -> Iterator[Nas]:
    """Return the NAS with both services deployed by the old command sequence, and a user who signed up."""
    make_user(nas)
    with one_liners.env_file(nas):
        one_liners.rebuild_all(tmp_path)
        one_liners.without_what_loopdeploy_made(nas)
    yield nas


def test_containers_made_by_the_old_one_liners_are_taken_over(old_nas: Nas) -> None:
    """loop-auth joins the network as it runs, so loop-api finds it there; not restarted, not replaced."""
    auth, api = old_nas.lives()
    made, keys = old_nas.inspect("loop-api"), old_nas.get(8084, "/.well-known/jwks.json")
    # Else it were not the old state that is taken over.
    assert made["HostConfig"]["Links"] == ["/loop-auth:/loop-api/loop-auth"]
    assert "OPENAI_API_KEY=old-openai-key" in made["Config"]["Env"]
    assert not old_nas.docker("network", "ls", "--quiet", "--filter", "name=^loop$")

    assert loopdeploy("rebuild", "--check").returncode == 0
    assert old_nas.lives() == [auth, api]
    assert loopdeploy("status").returncode == 0

    deploy("rebuild")
    assert old_nas.life("loop-auth") == auth
    assert old_nas.life("loop-api")[0] != api[0]
    assert not old_nas.inspect("loop-api")["HostConfig"]["Links"]
    assert old_nas.healthy()
    assert "RSA" in old_nas.docker("exec", "loop-api", "python", "-c", READ_KEYS)
    # What users have stands in loop-auth's volume.
    assert old_nas.get(8084, "/.well-known/jwks.json") == keys
    assert NAME in old_nas.docker("exec", "loop-auth", "loop-auth", "user", "list").split()
