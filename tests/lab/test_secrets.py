"""No secret is shown, whatever is asked for and whatever goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import VAULT_PASSWORD
from tests.lab.conftest import Nas
from tests.lab.conftest import Result
from tests.lab.conftest import deploy
from tests.lab.conftest import loopdeploy
from tests.lab.test_ansible_playbook import ansible_playbook

SECRETS = ("practice-ssh-and-sudo", "practice-openai-key", "practice-anthropic-key")


def require_silence(result: Result, code: int = 0) -> None:
    """Require that ``result`` ends with ``code``, and that no secret stands in what was printed."""
    output = result.stdout + result.stderr
    assert result.returncode == code, output
    assert len(output) > 100
    assert not [secret for secret in SECRETS if secret in output]


def test_a_deployment_shows_no_secret_at_the_highest_verbosity(nas: Nas) -> None:
    """With differences, by the command at -vvvvv and by Ansible alone; tests/leaks does so with every verb."""
    nas.docker("rm", "--force", "loop-api")
    require_silence(loopdeploy("rebuild-all", "-vvvvv", "--diff"))
    nas.docker("rm", "--force", "loop-api")
    require_silence(ansible_playbook("rebuild-all.yml", "-vvvv", "--diff"))


def test_a_failure_shows_no_secret(nas: Nas, inventory: Callable[..., Path]) -> None:
    """That of an image which does not come up; nor does a restart that is only looked at behind it."""
    with_vault = ("--vault-password-file", VAULT_PASSWORD, "-vvvvv", "--diff")
    nas.run("sed", "-i", "$ a raise SystemExit('broken on purpose')", f"{CHECKOUT}/api/main.py")
    require_silence(loopdeploy(*with_vault, "rebuild", inventory=inventory(loop_service_healthy_timeout=6)), 1)
    require_silence(loopdeploy("restart", "--check", "-vvvvv"))
    nas.run("git", "-c", "safe.directory=*", "-C", CHECKOUT, "checkout", "--quiet", ".")
    deploy("rebuild")


def test_a_secret_is_no_template(nas: Nas, inventory: Callable[..., Path]) -> None:
    """A key may have in it what Jinja takes for its own."""
    copy = inventory()
    key = "a{{b}}c{%d%}e{#f#}g"
    (copy / "group_vars" / "loop" / "zz.yml").write_text(f"vault_openai_api_key: !unsafe '{key}'\n")
    deploy("--vault-password-file", VAULT_PASSWORD, "rebuild", inventory=copy)
    assert f"OPENAI_API_KEY={key}" in nas.inspect("loop-api")["Config"]["Env"]
