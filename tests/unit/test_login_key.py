"""The key of `bootstrap` on this machine, with a script in the place of ssh and a login that there is not."""

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


@pytest.mark.parametrize("mode", [None, 0o755, 0o777])
def test_directory_of_the_key_is_made_and_never_changed(here: Path, mode: int | None) -> None:
    """A key may lie in the operator's home, which is not to be closed to others for it."""
    directory = here / "keys"
    if mode is not None:
        directory.mkdir()
        directory.chmod(mode)
    login = {"ansible_user": "nobody-of-that-name", "ansible_python_interpreter": sys.executable}
    nas = variables(here, loop_service_ssh_key=str(directory / "key"), **login)
    (here / "hosts.yml").write_text(json.dumps({"loop": {"hosts": {"nas": nas}}}))
    with pytest.raises(LoopdeployError, match="The NAS has no user nobody-of-that-name"):
        run_playbook("bootstrap", Target(inventory=str(here / "hosts.yml")))
    assert (directory / "key").stat().st_mode & 0o777 == 0o600
    assert directory.stat().st_mode & 0o777 == (0o700 if mode is None else mode)
