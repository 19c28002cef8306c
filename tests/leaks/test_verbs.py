"""Every verb that succeeds, at every verbosity and in check mode: no secret is where it may not be."""

from __future__ import annotations

from itertools import cycle

import pytest

from tests.lab.checkout import append
from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import Nas
from tests.leaks.scene import Scene

VERBS = (
    "rebuild --force", "rebuild-all --force", "restart --all", "stop --all", "start", "rollback",
    "restore --auth latest", "recover", "unlock", "bootstrap", "status", "logs", "history", "history --json", "doctor",
)  # fmt: skip
# Below the highest one, which shows what these do and more; without any loopdeploy words all of it itself, by other
# code than Ansible's.
VERBOSITIES = ("", "-v", "-vv", "-vvv", "-vvvv")
CHECKED = (
    "rebuild", "rebuild-all", "restart", "stop", "start", "rollback", "restore --auth latest", "recover", "unlock",
    "bootstrap", "doctor",
)  # fmt: skip
ENV_FILE = f"{CHECKOUT}/.env"
# What somebody who looks for a mistake of his own playbooks may have in his shell: with these ansible-core leaves each
# module on the NAS, its arguments in it, and tells of all that it does.
DEBUGGING = {"ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_PIPELINING": "0", "ANSIBLE_DEBUG": "1"}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_succeeds_leaks_nothing(scene: Scene, verb: str) -> None:
    """With differences and all of Ansible's own output, over a login of its own."""
    with scene.watched() as watch:
        result = watch.keep(scene.loopdeploy(*verb.split(), "--diff", "-vvvvv"))
    assert len(result.stdout) > 1000
    assert result.returncode == 0, result.stderr[-2000:]
    assert watch.leaks == []


@pytest.mark.parametrize("verbosity", VERBOSITIES)
def test_a_lower_verbosity_leaks_nothing(scene: Scene, verbosity: str) -> None:
    """At every verb, with differences where Ansible shows them."""
    with scene.watched() as watch:
        for verb in VERBS:
            result = watch.keep(scene.loopdeploy(*verb.split(), *([verbosity, "--diff"] if verbosity else [])))
            assert result.returncode == 0, f"{verb}: {result.stderr[-2000:]}"
    assert watch.leaks == []


@pytest.mark.parametrize("verb", CHECKED)
def test_check_mode_with_differences_leaks_nothing(scene: Scene, checkout: Nas, verb: str) -> None:
    """Something would change, and is told of."""
    append(checkout, "CHECKED = True")
    with scene.watched() as watch:
        result = watch.keep(scene.loopdeploy(*verb.split(), "--check", "--diff", "-vvvvv"))
    assert result.returncode == 0, result.stderr[-2000:]
    assert watch.leaks == []


def test_check_mode_at_a_lower_verbosity_leaks_nothing(scene: Scene, checkout: Nas) -> None:
    """One after the other, over the verbs that have it."""
    append(checkout, "CHECKED = False")
    with scene.watched() as watch:
        for verb, verbosity in zip(CHECKED, cycle(VERBOSITIES), strict=False):
            result = watch.keep(scene.loopdeploy(*verb.split(), "--check", "--diff", *verbosity.split()))
            assert result.returncode == 0, f"{verb} {verbosity}: {result.stderr[-2000:]}"
    assert watch.leaks == []


@pytest.mark.parametrize("verbosity", VERBOSITIES)
def test_ansible_playbook_leaks_nothing(scene: Scene, verbosity: str) -> None:
    """Used without loopdeploy, a container newly made."""
    scene.nas.docker("rm", "--force", "loop-api")
    with scene.watched() as watch:
        result = watch.keep(scene.ansible_playbook("rebuild", "--diff", *filter(None, [verbosity])))
    assert result.returncode == 0, result.stdout[-2000:]
    assert watch.leaks == []


def test_the_operators_own_settings_of_ansible_leak_nothing(scene: Scene) -> None:
    """They are for his own playbooks."""
    try:
        with scene.watched() as watch:
            result = watch.keep(scene.loopdeploy("rebuild", "--force", environment=DEBUGGING))
        assert result.returncode == 0, result.stderr[-2000:]
        assert watch.leaks == []
    finally:
        scene.remove_modules()


@pytest.mark.parametrize(("end", "code"), [("", 0), ("'", 1)], ids=["whole", "broken"])
def test_keys_of_the_env_file_leak_nothing(scene: Scene, end: str, code: int) -> None:
    """Of a whole one they come into the container; a broken one is refused, and not quoted."""
    lines = f"export OPENAI_API_KEY={scene.secrets.openai}\nANTHROPIC_API_KEY={end}{scene.secrets.anthropic}\n"
    try:
        with scene.variables(vault_openai_api_key="", vault_anthropic_api_key=""), scene.watched() as watch:
            scene.nas.run("sh", "-c", f"umask 077; cat > {ENV_FILE}", stdin=lines)
            result = watch.keep(scene.loopdeploy("rebuild", "--force", "--diff", "-vvvvv"))
        assert result.returncode == code, result.stderr[-2000:]
        assert watch.leaks == []
        environment = scene.nas.inspect("loop-api")["Config"]["Env"]
        assert f"ANTHROPIC_API_KEY={scene.secrets.anthropic}" in environment
    finally:
        scene.nas.run("rm", "-f", ENV_FILE)
        # Else the container would make an empty one at its next start, where it hides the one that was.
        scene.loopdeploy("rebuild", "--force")


def test_a_password_in_a_note_is_not_quoted(scene: Scene) -> None:
    """`doctor` names the file and the line, and fails."""
    note = scene.kept("ssh", "note", text=f"sshpass -p {scene.secrets.ssh} ssh nas")
    with scene.watched() as watch:
        result = watch.keep(scene.loopdeploy("doctor", "--scan", note, "-vvvvv"))
    assert result.returncode == 1, result.stderr[-2000:]
    assert watch.leaks == []


def test_what_a_secret_is_for_is_no_leak(scene: Scene) -> None:
    """The services have their keys in their environment, and nothing else is found when nothing is done."""
    assert f"OPENAI_API_KEY={scene.secrets.openai}" in scene.nas.inspect("loop-api")["Config"]["Env"]
    with scene.watched() as watch:
        scene.nas.docker("exec", "loop-api", "sleep", "0.3")
    assert watch.leaks == []
    assert ("openai", "environment of a service: OPENAI_API_KEY") in watch.allowed
