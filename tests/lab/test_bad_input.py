"""Whatever the world does wrong: one sentence, the right exit code, and nothing that runs is touched."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import LAB_INVENTORY
from tests.lab.conftest import ROOT
from tests.lab.conftest import VAULT_PASSWORD
from tests.lab.conftest import Nas
from tests.lab.conftest import Result
from tests.lab.conftest import command
from tests.lab.conftest import loopdeploy

Inventory = Callable[..., Path]
WITH_VAULT = ("--vault-password-file", VAULT_PASSWORD)
WRONG_PASSWORD = "wrong-on-purpose"


def require(result: Result, code: int, *words: str) -> None:
    """Require that ``result`` ends with ``code`` and one sentence that has all ``words``."""
    error = result.stderr[result.stderr.index("Error: ") :].strip()
    assert result.returncode == code, result.stderr
    assert all(word in error for word in words), error
    assert "\n" not in error, error
    assert "Traceback" not in result.stdout + result.stderr
    assert "[ERROR]" not in error


@contextmanager
def moved(nas: Nas, path: str) -> Iterator[None]:
    """Take ``path`` away from the NAS for a while."""
    nas.run("mv", path, f"{path}.away")
    try:
        yield
    finally:
        nas.run("mv", f"{path}.away", path)


@contextmanager
def tiny_disk(nas: Nas, directory: str) -> Iterator[None]:
    """Put a file system of one megabyte on ``directory`` of the NAS for a while."""
    nas.run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory)
    try:
        yield
    finally:
        nas.run("umount", directory)


@pytest.fixture
def checkout(nas: Nas) -> Iterator[Nas]:
    """Return the NAS, whose checkout is put in order again afterwards."""
    yield nas
    git = ("git", "-c", "safe.directory=*", "-C", CHECKOUT)
    nas.run(*git, "checkout", "--quiet", ".")
    nas.run("rm", "-f", f"{CHECKOUT}/api/big.py")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["explode"], ["No such command 'explode'"]),
        (["rebuild", "loop-web"], ["'loop-web' is not one of 'loop-auth', 'loop-api'"]),
        (["stop", "loop-api", "--all"], ["not both"]),
        (["logs", "-n", "0"], ["0 is not in the range"]),
    ],
)
def test_wrong_usage(kept: Nas, argv: list[str], words: list[str]) -> None:
    """A verb, service or option that does not exist."""
    require(loopdeploy(*argv), 2, *words)


def test_missing_inventory(kept: Nas, tmp_path: Path) -> None:
    """Neither a name nor a path."""
    result = command("loopdeploy", "-i", "nowhere", "status", cwd=tmp_path)
    require(result, 2, "'nowhere'", "-i lab")


def test_wrong_vault_password(kept: Nas, inventory: Inventory, tmp_path: Path) -> None:
    """The vault stays shut, and the NAS is not asked."""
    file = tmp_path / "password"
    file.write_text(WRONG_PASSWORD)
    result = loopdeploy("--vault-password-file", file, "status", inventory=inventory())
    require(result, 2, "vault password does not open the vault")


def test_missing_vault_password(kept: Nas, inventory: Inventory) -> None:
    """A pipeline without any must not hang at a prompt."""
    require(loopdeploy("status", inventory=inventory()), 2, "no terminal to ask on", "--vault-password-file")


def test_missing_vault_password_file(kept: Nas, inventory: Inventory) -> None:
    """The option names a file that is not there."""
    result = loopdeploy("--vault-password-file", "/nowhere/password", "status", inventory=inventory())
    require(result, 2, "/nowhere/password")


def test_damaged_vault(kept: Nas, inventory: Inventory) -> None:
    """A vault that was cut off cannot be opened by any password."""
    copy = inventory()
    vault = copy / "group_vars" / "loop" / "vault.yml"
    vault.write_text(vault.read_text()[:200])
    require(loopdeploy(*WITH_VAULT, "status", inventory=copy), 2, "vault is damaged")


def test_host_unreachable(kept: Nas, inventory: Inventory) -> None:
    """Nothing listens there."""
    copy = inventory(ansible_port=9)
    (copy / "hosts.yml").write_text("loop: {hosts: {lab: {ansible_host: 127.0.0.1, ansible_user: loopadmin}}}")
    require(loopdeploy(*WITH_VAULT, "rebuild", inventory=copy), 3, "lab: Read what runs: the NAS does not answer")


def test_host_name_unknown(kept: Nas, inventory: Inventory) -> None:
    """The address was never filled in."""
    copy = inventory(ansible_port=22)
    (copy / "hosts.yml").write_text(
        "loop: {hosts: {lab: {ansible_host: fill-in-the-address.invalid, ansible_user: x}}}"
    )
    require(loopdeploy(*WITH_VAULT, "status", inventory=copy), 3, "fill-in-the-address.invalid", "ansible_host")


def test_login_refused_is_tried_once(kept: Nas, inventory: Inventory) -> None:
    """DSM blocks an address after a few failed logins."""
    log = ["docker", "logs", "loopdeploy-lab"]

    def refusals() -> int:
        result = subprocess.run(log, check=True, capture_output=True, text=True)
        log_lines = (result.stdout + result.stderr).splitlines()
        return sum("Failed" in line and "for loopadmin" in line for line in log_lines)

    before = refusals()
    # Without the connection that an earlier run kept open.
    copy = inventory(vault_ssh_password=WRONG_PASSWORD, ansible_ssh_extra_args="-o ControlPath=none")
    require(loopdeploy(*WITH_VAULT, "rebuild-all", inventory=copy), 3, "login was refused", "tried once")
    assert refusals() == before + 1


def test_host_key_changed(kept: Nas, inventory: Inventory, tmp_path: Path) -> None:
    """Another machine answers at the NAS's address."""
    known_hosts = tmp_path / "known_hosts"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    key = (tmp_path / "key.pub").read_text()
    known_hosts.write_text(f"[127.0.0.1]:* {key}127.0.0.1 {key}")
    arguments = f"-o UserKnownHostsFile={known_hosts} -o ControlPath=none"
    copy = inventory(ansible_ssh_common_args=arguments)
    require(loopdeploy(*WITH_VAULT, "status", inventory=copy), 3, "host key")


def test_sudo_password_wrong(kept: Nas, inventory: Inventory) -> None:
    """The login works, sudo does not."""
    copy = inventory(vault_sudo_password=WRONG_PASSWORD)
    for verb in ("status", "rebuild"):
        require(loopdeploy(*WITH_VAULT, verb, inventory=copy), 3, "sudo refused the password", "vault_sudo_password")


@pytest.mark.parametrize("verb", ["status", "rebuild", "restart", "logs"])
def test_docker_missing_at_the_given_path(kept: Nas, inventory: Inventory, verb: str) -> None:
    """Container Manager stands elsewhere."""
    result = loopdeploy(*WITH_VAULT, verb, inventory=inventory(loop_docker="/usr/local/bin/docker"))
    require(result, 1, "no Docker command at /usr/local/bin/docker", "loop_docker")


@pytest.mark.parametrize("verb", ["status", "rebuild", "restart", "logs", "rollback", "restore --auth latest"])
def test_engine_down(kept: Nas, verb: str) -> None:
    """Nobody answers at the engine's socket, which is told while the operator still looks."""
    asked = time.monotonic()
    with moved(kept, "/run/docker.sock"):
        require(loopdeploy(*verb.split()), 1, "engine does not answer", "Container Manager")
    assert time.monotonic() - asked < 30


@pytest.mark.parametrize(
    ("variables", "code", "words"),
    [
        ({"loop_exec_dir": "/volume1/nowhere"}, 1, "/volume1/nowhere does not exist"),
        ({"loop_api_port": 443}, 1, "Port 443"),
        ({"loop_api_build": {"path": CHECKOUT, "dockerfile": "Dockerfile.no"}}, 1, "no Dockerfile"),
        ({"loop_api_port": "{{ vault_nowhere }}"}, 2, "vault_nowhere is not set"),
    ],
)
def test_rebuild_all_touches_neither_when_the_second_cannot_be(
    kept: Nas, checkout: Nas, inventory: Inventory, variables: dict[str, object], code: int, words: str
) -> None:
    """loop-auth, with new code waiting, is not replaced before loop-api is known to be deployable."""
    checkout.run("sh", "-c", f"echo '# new' >> {CHECKOUT}/api/oauth/main.py")
    require(loopdeploy(*WITH_VAULT, "rebuild-all", inventory=inventory(**variables)), code, words)


def test_rebuild_all_touches_neither_when_the_second_build_fails(kept: Nas, checkout: Nas) -> None:
    """The same for a build."""
    checkout.run("sh", "-c", f"echo '# new' >> {CHECKOUT}/api/oauth/main.py")
    checkout.run("sed", "-i", "/^CMD/ i RUN exit 7", f"{CHECKOUT}/Dockerfile")
    require(loopdeploy("rebuild-all"), 1, "RUN exit 7", "not touched")


def test_no_dockerfile(kept: Nas, inventory: Inventory) -> None:
    """The checkout is somewhere else."""
    copy = inventory(loop_dir="/volume1/LOOP_CLevel/vault/loop_exec")
    require(loopdeploy(*WITH_VAULT, "rebuild", inventory=copy), 1, "no Dockerfile at /volume1/LOOP_CLevel", "loop_dir")


def test_a_build_that_fails(kept: Nas, checkout: Nas) -> None:
    """The failing step, and what it printed."""
    checkout.run("sed", "-i", "/^CMD/ i RUN echo first words; echo last words; exit 7", f"{CHECKOUT}/Dockerfile")
    result = loopdeploy("rebuild")
    require(result, 1, "RUN echo first words", "returned a non-zero code: 7", "last words", "not touched")


def test_a_dockerfile_with_a_syntax_error(kept: Nas, checkout: Nas) -> None:
    """The builder's own reason."""
    checkout.run("sed", "-i", "1 i FORM scratch", f"{CHECKOUT}/Dockerfile")
    require(loopdeploy("rebuild"), 1, "lab: Build loop-api: it failed: ", "FORM", "not touched")


@pytest.mark.parametrize(
    ("directory", "words"), [("/var/lib/docker/tmp", "disk is full"), ("/tmp", "The disk of /tmp has")]
)
def test_disk_full_during_the_build(kept: Nas, checkout: Nas, directory: str, words: str) -> None:
    """Where the engine, or the module, puts the build context."""
    checkout.run("dd", "if=/dev/urandom", f"of={CHECKOUT}/api/big.py", "bs=1M", "count=4")
    with tiny_disk(checkout, directory):
        require(loopdeploy("rebuild"), 1, words, "not touched")


def test_disk_full_in_a_step_of_the_build(kept: Nas, checkout: Nas) -> None:
    """What a step itself says of a full disk."""
    checkout.run("sed", "-i", "/^CMD/ i RUN dd if=/dev/zero of=/dev/full count=1", f"{CHECKOUT}/Dockerfile")
    require(loopdeploy("rebuild"), 1, "disk is full", "RUN dd if=/dev/zero")


def test_port_taken_by_another_program(kept: Nas, inventory: Inventory) -> None:
    """The new container could not start; the old one is not stopped for it."""
    result = loopdeploy(*WITH_VAULT, "rebuild", inventory=inventory(loop_api_port=443))
    require(result, 1, "Port 443", "loop-api", "another program")


def test_port_taken_by_another_container(kept: Nas, inventory: Inventory) -> None:
    """The container that holds the port is named."""
    result = loopdeploy(*WITH_VAULT, "rebuild", inventory=inventory(loop_api_port=8084))
    require(result, 1, "Port 8084", "taken by loop-auth")


def test_a_volumes_directory_is_missing(kept: Nas, inventory: Inventory) -> None:
    """The stock engine would make an empty one, Synology's would leave the service down."""
    result = loopdeploy(*WITH_VAULT, "rebuild", inventory=inventory(loop_exec_dir="/volume1/nowhere"))
    require(result, 1, "directory /volume1/nowhere does not exist")
    assert kept.run("ls", "/volume1").split() == ["LOOP_CLevel", "LOOP_CORE", "git"]


def test_a_declaration_that_would_not_come_true(kept: Nas, inventory: Inventory) -> None:
    """What nothing passes on is not dropped in silence."""
    defaults = yaml.safe_load((ROOT / "roles" / "loop_api" / "defaults" / "main.yml").read_text())
    copy = inventory(loop_api_container={**defaults["loop_api_container"], "user": "1000"})
    require(loopdeploy(*WITH_VAULT, "rebuild", inventory=copy), 1, "loop-api has user, without which", "not touched")


def test_host_without_python(kept: Nas) -> None:
    """DSM's Python can be missing after an update; status works without it."""
    with moved(kept, "/usr/bin/python3"):
        require(loopdeploy("rebuild"), 1, "no Python at /usr/bin/python3", "ansible_python_interpreter")
        require(loopdeploy("logs"), 1, "no Python at /usr/bin/python3")
        assert loopdeploy("status").returncode == 0


@pytest.mark.parametrize("verb", ["restart", "stop", "start", "logs"])
def test_a_container_that_was_never_deployed(empty_nas: Nas, verb: str) -> None:
    """There is nothing to act on."""
    require(loopdeploy(verb, "loop-api"), 1, "no container loop-api", "rebuild-all")
    assert not empty_nas.docker("ps", "--all", "--quiet")


def test_the_lab_is_not_up(tmp_path: Path) -> None:
    """The first command of a newcomer may be the wrong one."""
    for verb in ("status", "rebuild-all"):
        require(loopdeploy(verb, environment={"XDG_STATE_HOME": str(tmp_path)}), 2, "loopdeploy lab up")
    require(command("loopdeploy", "lab", "ssh", environment={"XDG_STATE_HOME": str(tmp_path)}), 2, "loopdeploy lab up")


def test_an_inventory_without_the_group(tmp_path: Path) -> None:
    """Nothing to do is not done."""
    copy = tmp_path / "inventory"
    shutil.copytree(LAB_INVENTORY, copy)
    (copy / "hosts.yml").write_text("other: {hosts: {localhost: {}}}")
    require(loopdeploy(*WITH_VAULT, "status", inventory=copy), 2, "group loop")


def test_a_limit_that_names_no_host(kept: Nas) -> None:
    """A typing error must not look like success."""
    require(loopdeploy("--limit", "nas2", "status"), 2, "--limit")
