"""An API key that the vault does not have comes from the file that the old one-liners sourced."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import VAULT_PASSWORD
from tests.lab.conftest import Nas
from tests.lab.conftest import Result
from tests.lab.conftest import deploy

KEYS = {"OPENAI_API_KEY": "key-of-the-file-o", "ANTHROPIC_API_KEY": "key-of-the-file-a"}


@pytest.fixture
def keyless(nas: Nas, inventory: Callable[..., Path]) -> Callable[..., Result]:
    """Return what runs a verb with an inventory without API keys."""
    place = inventory(vault_openai_api_key="", vault_anthropic_api_key="")
    return lambda *argv: deploy("--vault-password-file", VAULT_PASSWORD, *argv, inventory=place)


def environment(nas: Nas) -> dict[str, str]:
    """Return the API keys that loop-api has."""
    pairs = dict(line.split("=", 1) for line in nas.inspect("loop-api")["Config"]["Env"])
    return {name: pairs[name] for name in KEYS}


def test_keys_come_from_the_nas(nas: Nas, keyless: Callable[..., Result]) -> None:
    """By every verb that makes a container; unchanged ones replace nothing, and without the file they are empty."""
    keyless("rebuild")
    assert environment(nas) == dict.fromkeys(KEYS, "")
    nas.run(
        "sh", "-c", f"cat > {CHECKOUT}/.env", stdin="".join(f"export {name}='{key}'\n" for name, key in KEYS.items())
    )
    try:
        assert "would be replaced" in keyless("rebuild", "--check").stdout
        told = keyless("rebuild")
        assert environment(nas) == KEYS
        assert told.stdout.count(f"comes from {CHECKOUT}/.env") == 2
        before = nas.lives()
        assert "nothing changed" in keyless("rebuild").stderr
        checked = keyless("rebuild", "--check")
        assert "it runs as it is declared" in checked.stdout and "no change is foreseen" in checked.stderr
        assert nas.lives() == before
        keyless("rebuild", "--force")
        keyless("rollback", "--to", nas.inspect("loop-api-previous")["Config"]["Labels"]["loopdeploy.release"])
        assert environment(nas) == KEYS
        assert not [key for key in KEYS.values() if key in told.stdout + told.stderr]
    finally:
        nas.run("rm", f"{CHECKOUT}/.env")
