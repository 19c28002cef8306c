"""What Ansible is told in the environment and in a directory, where loopdeploy itself opens and closes a vault."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

IMPORTS = """
from pathlib import Path
from loopdeploy.errors import SetupError
from loopdeploy.vault_file import close_vault, open_vault
from loopdeploy.vault_password import VaultPassword, password_bytes
"""


def run(directory: Path, environment: dict[str, str], *lines: str) -> None:
    """Run a program in a process of its own, because Ansible reads its settings once."""
    program = IMPORTS + "\n".join(lines)
    subprocess.run([sys.executable, "-c", program], check=True, cwd=directory, env=environment)


@pytest.mark.parametrize("setting", ["ANSIBLE_FORKS=many", "ANSIBLE_VAULT_ID_MATCH=1", "ansible.cfg"])
def test_setting_that_does_not_count_keeps_no_vault_shut(tmp_path: Path, setting: str) -> None:
    """Neither one of the environment, nor one of the directory."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    if setting == "ansible.cfg":
        (tmp_path / setting).write_text("[defaults]\nforks = many\nvault_id_match = true\n")
    else:
        environment |= dict([setting.split("=")])
    (tmp_path / "program").write_text("#!/bin/sh\necho secret\n")
    (tmp_path / "program").chmod(0o700)
    run(
        tmp_path,
        environment,
        "close_vault(Path('vault.yml'), 'a: b', b'secret')",
        "text = Path('vault.yml').read_text().replace('1.1;AES256', '1.2;AES256;prod')",
        "Path('vault.yml').write_text(text)",
        "close_vault(Path('vault.yml'), 'a: c', password_bytes(VaultPassword(file=Path('program'))))",
        "assert ';prod' in Path('vault.yml').read_text()",
        "assert open_vault(Path('vault.yml'), b'secret') == 'a: c'",
    )


def test_setting_that_counts_and_is_wrong_is_told(tmp_path: Path) -> None:
    """In a sentence."""
    run(
        tmp_path,
        {**os.environ, "ANSIBLE_TIMEOUT": "30s"},
        "try:",
        "    close_vault(Path('vault.yml'), 'a: b', b'secret')",
        "except SetupError as error:",
        "    assert error.message.startswith('Ansible refuses a setting: ') and '30s' in error.message, error.message",
        "else:",
        "    raise AssertionError",
    )
