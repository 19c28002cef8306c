"""The practice NAS with sentinels for secrets."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

import pytest
import yaml

from loopdeploy.vault_file import close_vault
from tests.lab.checkout import restored
from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import LAB_INVENTORY
from tests.lab.conftest import Nas
from tests.lab.conftest import command
from tests.lab.conftest import deploy
from tests.lab.conftest import lab as lab
from tests.leaks.allowed import Found
from tests.leaks.figures import told
from tests.leaks.scene import Scene
from tests.leaks.search import files_here
from tests.leaks.sentinels import Sentinels
from tests.leaks.watch import FIGURES
from tests.leaks.watch import is_kept

# sudo asks for root's password, so that it is another one than the login's, and writes down what it ran, as on DSM; a
# line of its log is not broken, so that a secret in it is whole.
SUDOERS = """
Defaults rootpw
Defaults logfile=/var/log/sudo.log, loglinelen=0
"""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell by which means processes were looked at, and how closely."""
    if FIGURES:
        terminalreporter.section("how closely processes were looked at")
        for line in told(FIGURES):
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def scene(lab: Nas, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Give each secret a sentinel, deploy both services with them, and put the practice NAS back afterwards."""
    began = time.time()
    deploy("rebuild-all")
    keys = lab.run("sh", "-c", f"cat {CHECKOUT}/api/oauth/keys/*.pem").splitlines()
    # Behind the modulus, which is public: RFC 8017, appendix A.1.2.
    scene = Scene(lab, Sentinels(rsa=keys[10]), tmp_path_factory.mktemp("operator"))
    make_inventory(scene)
    lab.run("cp", "-p", "/etc/sudoers", "/etc/sudoers.kept")
    lab.run("sh", "-c", "cat >> /etc/sudoers", stdin=SUDOERS)
    lab.run("chpasswd", stdin=f"loopadmin:{scene.secrets.ssh}\nroot:{scene.secrets.sudo}\n")
    try:
        deployed = scene.loopdeploy("rebuild-all")
        assert deployed.returncode == 0, deployed.stderr
        yield scene
        assert left_among_programs(scene, began) == []
    finally:
        scene.log_out()
        lab.run("mv", "/etc/sudoers.kept", "/etc/sudoers")
        lab.run("rm", "-f", "/var/log/sudo.log")
        lab.run("passwd", "--lock", "root")
        # Gives the login its own password back.
        assert command("loopdeploy", "lab", "up").returncode == 0
        restored(lab)
        deploy("rebuild-all")


@pytest.fixture
def checkout(scene: Scene) -> Iterator[Nas]:
    """Return the NAS, and put its checkout back afterwards."""
    yield scene.nas
    restored(scene.nas)


def left_among_programs(scene: Scene, began: float) -> list[Found]:
    """Return what is found on this machine where it is not searched behind each test, because that takes long."""
    found = files_here(began, scene.secrets.spellings(), scene.own / "patterns", programs=True)
    return [hit for hit in found if not is_kept(scene.own, *hit)]


def make_inventory(scene: Scene) -> None:
    """Make the lab's inventory with the sentinels in an encrypted vault, and connections of its own."""
    scene.own.mkdir(0o700)
    shutil.copytree(LAB_INVENTORY, scene.inventory)
    (scene.inventory / "vault-password.txt").unlink()
    content = {
        "vault_ssh_password": scene.secrets.ssh,
        "vault_sudo_password": scene.secrets.sudo,
        "vault_openai_api_key": scene.secrets.openai,
        "vault_anthropic_api_key": scene.secrets.anthropic,
    }
    scene.vault.unlink()
    close_vault(scene.vault, yaml.safe_dump(content), scene.secrets.vault.encode())
    # A connection that the lab's own tests keep would need no password.
    scene.vault.with_name("zz.yml").write_text(
        yaml.safe_dump({"ansible_control_path_dir": str(scene.directory / "cp"), "loop_service_healthy_timeout": 8})
    )
