"""Leaks, each in one place and of one secret, which comes there by a pipe: so nothing else gives it away."""

from __future__ import annotations

import base64
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.lab.conftest import DOCKER
from tests.lab.conftest import STATE
from tests.leaks.allowed import Found
from tests.leaks.scene import Scene
from tests.leaks.watch import Watch

# Seconds that something stays which only the sampler can see: it looks at a process that is not new each 40 beats.
MOMENT = 0.5
HERE = Path.home() / ".loopdeploy-planted"
MEMORY, SHARED = Path("/dev/shm/loopdeploy-planted"), Path("/dev/shm/psm_planted")
IMAGE = "loopdeploy-planted"

Plant = Callable[[Scene, Watch], Found]


def on_the_nas(scene: Scene, script: str, secret: str) -> None:
    """Run a shell script there as root, with a secret in its standard input."""
    scene.nas.run("sh", "-ec", script, stdin=f"{secret}\n")


def on_a_command_line(scene: Scene, watch: Watch) -> Found:
    """Of a process on the NAS that ends at once."""
    on_the_nas(scene, 'read -r secret; /bin/true "$secret"', scene.secrets.sudo)
    return "sudo", f"command line: /bin/true {scene.secrets.sudo}"


def in_an_environment(scene: Scene, watch: Watch) -> Found:
    """Of a process here that ends at once."""
    subprocess.run(["/bin/true", "planted"], env={"ANSIBLE_PASSWORD": scene.secrets.ssh}, check=True)
    return "ssh", "environment: /bin/true planted"


def in_a_title(scene: Scene, watch: Watch) -> Found:
    """Of a process here that changes its command line, as it may without becoming another program."""
    script = f"$_ = <STDIN>; chomp; $0 = $_; select undef, undef, undef, {MOMENT}"
    # Room for the title is where the command line was.
    subprocess.run(["perl", "-e", script, " " * 100], input=scene.secrets.anthropic, text=True, check=True)
    return "anthropic", f"command line: {scene.secrets.anthropic}"


def in_a_temporary_file(scene: Scene, watch: Watch) -> Found:
    """Of ansible-runner, gone behind the run."""
    MEMORY.mkdir(mode=0o700)
    (MEMORY / "env").write_text(scene.secrets.vault)
    time.sleep(MOMENT)
    (MEMORY / "env").unlink()
    return "vault", f"temporary file: {MEMORY}/env"


def in_shared_memory(scene: Scene, watch: Watch) -> Found:
    """Where nothing but the SSH password may be."""
    SHARED.touch(0o600)
    SHARED.write_text(scene.secrets.sudo)
    time.sleep(MOMENT)
    SHARED.unlink()
    return "sudo", f"temporary file: {SHARED}"


def in_a_temporary_file_of_the_nas(scene: Scene, watch: Watch) -> Found:
    """As a module would write it that gets its arguments by a file."""
    directory = "/tmp/loopdeploy-planted"
    script = f"umask 077; mkdir {directory}; cat > {directory}/arguments; sleep {MOMENT}; rm -r {directory}"
    on_the_nas(scene, script, scene.secrets.anthropic)
    return "anthropic", f"temporary file of the NAS: {directory}/arguments"


def in_a_file_here(scene: Scene, watch: Watch) -> Found:
    """Left behind, with the time of an old one."""
    HERE.write_text(scene.secrets.anthropic)
    os.utime(HERE, (0, 0))
    return "anthropic", f"file: {HERE}"


def in_the_inventory(scene: Scene, watch: Watch) -> Found:
    """In clear, beside the vault."""
    file = scene.vault.with_name("vault.yml.planted")
    file.write_text(scene.secrets.ssh)
    return "ssh", f"file: {file}"


def in_the_history(scene: Scene, watch: Watch) -> Found:
    """In Base64, in the NAS's state directory."""
    line = base64.b64encode(f'{{"x": "{scene.secrets.openai}"}}'.encode()).decode()
    on_the_nas(scene, f"cat > {STATE}/history.planted", line)
    return "openai", f"file of the NAS: {STATE}/history.planted"


def in_the_lock(scene: Scene, watch: Watch) -> Found:
    """Of nobody, because it has no lease."""
    script = f"""mkdir {STATE}/lock; read -r secret; echo '{{"user": "'$secret'"}}' > {STATE}/lock/owner.json"""
    on_the_nas(scene, script, scene.secrets.ssh)
    return "ssh", f"file of the NAS: {STATE}/lock/owner.json"


def in_a_backup(scene: Scene, watch: Watch) -> Found:
    """Where keys may be, but no password."""
    directory = f"{STATE}/backups/planted.partial/keys"
    on_the_nas(scene, f"mkdir -p {directory}; cat > {directory}/x.pem", scene.secrets.vault)
    return "vault", f"file of the NAS: {directory}/x.pem"


def in_the_log_of_sudo(scene: Scene, watch: Watch) -> Found:
    """As an argument of what was run with it."""
    on_the_nas(scene, 'read -r secret; sudo true "$secret"', scene.secrets.vault)
    return "vault", "file of the NAS: /var/log/sudo.log"


def in_the_log_of_the_nas(scene: Scene, watch: Watch) -> Found:
    """As sshd writes it."""
    on_the_nas(scene, "cat > /proc/1/fd/2", scene.secrets.rsa)
    return "rsa", "log of the NAS"


def on_a_label(scene: Scene, watch: Watch) -> Found:
    """Of a container that is not even started."""
    create = f"cat | {DOCKER} create --name planted-label --label-file /dev/stdin loop-api:latest"
    on_the_nas(scene, create, f"key={scene.secrets.openai}")
    return "openai", "label of planted-label"


def in_a_declaration(scene: Scene, watch: Watch) -> Found:
    """The environment of a container that may not have it."""
    create = f"cat | {DOCKER} create --name planted-declaration --env-file /dev/stdin loop-api:latest"
    on_the_nas(scene, create, f"OPENAI_API_KEY={scene.secrets.openai}")
    return "openai", "declaration of planted-declaration"


def in_the_log_of_a_service(scene: Scene, watch: Watch) -> Found:
    """As a container prints it."""
    run = f"{DOCKER} run --interactive --name planted-log --network none --entrypoint cat loop-api:latest"
    on_the_nas(scene, run, scene.secrets.anthropic)
    return "anthropic", "log of planted-log"


def in_the_history_of_an_image(scene: Scene, watch: Watch) -> Found:
    """As a build's argument would be."""
    dockerfile = f"FROM loop-api:latest\nENV KEY={scene.secrets.anthropic}"
    on_the_nas(scene, f"DOCKER_BUILDKIT=0 {DOCKER} build --quiet --tag {IMAGE} -", dockerfile)
    return "anthropic", "image history"


def in_the_output(scene: Scene, watch: Watch) -> Found:
    """Of a verb."""
    watch.keep(subprocess.CompletedProcess([], 1, "", f"Error: {scene.secrets.sudo} was refused"))
    return "sudo", "output"


PLANTS: tuple[Plant, ...] = (
    on_a_command_line, in_an_environment, in_a_title, in_a_temporary_file, in_shared_memory,
    in_a_temporary_file_of_the_nas, in_a_file_here, in_the_inventory, in_the_history, in_the_lock, in_a_backup,
    in_the_log_of_sudo, in_the_log_of_the_nas, on_a_label, in_a_declaration, in_the_log_of_a_service,
    in_the_history_of_an_image, in_the_output,
)  # fmt: skip
# Of a process that is gone before the sampler looks.
AT_AN_EXEC: tuple[Plant, ...] = (on_a_command_line, in_an_environment)


def removed(scene: Scene) -> None:
    """Remove whatever was planted."""
    HERE.unlink(missing_ok=True)
    SHARED.unlink(missing_ok=True)
    (MEMORY / "env").unlink(missing_ok=True)
    if MEMORY.exists():
        MEMORY.rmdir()
    scene.vault.with_name("vault.yml.planted").unlink(missing_ok=True)
    scene.nas.run(DOCKER, "rm", "--force", "planted-label", "planted-declaration", "planted-log", check=False)
    scene.nas.run(DOCKER, "rmi", "--force", IMAGE, check=False)
    places = ("history.planted", "lock", "backups/planted.partial")
    scene.nas.run("rm", "-rf", "/var/log/sudo.log", *(f"{STATE}/{place}" for place in places))
