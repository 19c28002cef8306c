"""The practice NAS with sentinels for secrets."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import LAB_INVENTORY
from tests.lab.conftest import Nas
from tests.lab.conftest import command
from tests.lab.conftest import deploy
from tests.lab.conftest import lab as lab
from tests.leaks.scene import Scene
from tests.leaks.sentinels import Sentinels

# sudo asks for root's password, so that it is another one than the login's, and writes down what it ran, as on DSM.
SUDOERS = """
Defaults rootpw
Defaults logfile=/var/log/sudo.log
"""


@pytest.fixture(scope="session")
def scene(lab: Nas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Give each secret a sentinel, deploy both services with them, and put the practice NAS back afterwards."""
    deploy("rebuild-all")
    keys = lab.run("sh", "-c", f"cat {CHECKOUT}/api/oauth/keys/*.pem").splitlines()
    secrets = Sentinels(rsa=keys[5])
    directory = tmp_path_factory.mktemp("operator")
    scene = Scene(lab, secrets, inventory(directory, secrets), directory)
    lab.run("cp", "-p", "/etc/sudoers", "/etc/sudoers.kept")
    lab.run("sh", "-c", "cat >> /etc/sudoers", stdin=SUDOERS)
    lab.run("chpasswd", stdin=f"loopadmin:{secrets.ssh}\nroot:{secrets.sudo}\n")
    try:
        deployed = scene.loopdeploy("rebuild-all")
        assert deployed.returncode == 0, deployed.stderr
        yield scene
    finally:
        lab.run("mv", "/etc/sudoers.kept", "/etc/sudoers")
        lab.run("passwd", "--lock", "root")
        assert command("loopdeploy", "lab", "up").returncode == 0
        lab.run("git", "-c", "safe.directory=*", "-C", CHECKOUT, "checkout", "--quiet", ".")
        deploy("rebuild-all")


def inventory(directory: Path, secrets: Sentinels) -> Path:
    """Make the lab's inventory with these secrets in an encrypted vault, and a connection of its own."""
    made = directory / "inventory"
    shutil.copytree(LAB_INVENTORY, made)
    (made / "vault-password.txt").unlink()
    password = directory / "vault-password"
    password.touch(0o600)
    password.write_text(f"{secrets.vault}\n")
    vault = made / "group_vars" / "loop" / "vault.yml"
    content = {
        "vault_ssh_password": secrets.ssh,
        "vault_sudo_password": secrets.sudo,
        "vault_openai_api_key": secrets.openai,
        "vault_anthropic_api_key": secrets.anthropic,
    }
    program = str(Path(sys.executable).with_name("ansible-vault"))
    encrypt = [program, "encrypt", "--vault-password-file", str(password), "--output", str(vault), "-"]
    result = subprocess.run(encrypt, input=yaml.safe_dump(content), text=True, check=False)
    assert result.returncode == 0
    # A connection that the lab's own tests keep would need no password.
    (made / "group_vars" / "loop" / "zz.yml").write_text(
        yaml.safe_dump({"ansible_control_path_dir": str(directory / "cp"), "loop_service_healthy_timeout": 8})
    )
    return made
