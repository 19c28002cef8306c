"""A leak that is planted is found, wherever it is: else the other tests could not fail."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from tests.lab.conftest import DOCKER
from tests.lab.conftest import LAB
from tests.lab.conftest import STATE
from tests.leaks.scene import Scene
from tests.leaks.scene import Watch


def on_a_command_line(scene: Scene, watch: Watch) -> None:
    """Of a process on the NAS that lives for 30 ms."""
    scene.nas.run("sh", "-c", "sleep 0.03; true", scene.secrets.sudo)


def in_an_environment(scene: Scene, watch: Watch) -> None:
    """Of a process here that lives for 30 ms."""
    subprocess.run(["sleep", "0.03"], env={"PATH": "/usr/bin:/bin", "ANSIBLE_PASSWORD": scene.secrets.ssh}, check=True)


def in_a_temporary_file(scene: Scene, watch: Watch) -> None:
    """Of ansible-runner, which is gone behind the run."""
    directory = Path("/dev/shm/loopdeploy-planted")
    directory.mkdir()
    (directory / "env").write_text(scene.secrets.vault)
    time.sleep(0.3)
    (directory / "env").unlink()
    directory.rmdir()


def in_a_file_here(scene: Scene, watch: Watch) -> None:
    """That a run left."""
    (Path.home() / ".loopdeploy-planted").write_text(scene.secrets.anthropic)


def in_the_history(scene: Scene, watch: Watch) -> None:
    """Of the NAS, in Base64."""
    import base64

    line = base64.b64encode(f'{{"x": "{scene.secrets.openai}"}}'.encode()).decode()
    scene.nas.run("sh", "-c", f"cat > {STATE}/planted", stdin=line)


def on_a_label(scene: Scene, watch: Watch) -> None:
    """Of a container that is not even started."""
    scene.nas.run(DOCKER, "create", "--name", "planted", "--label", f"key={scene.secrets.openai}", "loop-api:latest")


def in_the_output(scene: Scene, watch: Watch) -> None:
    """Of a verb."""
    watch.outputs.append(f"Error: {scene.secrets.sudo} was refused")


def in_the_log_of_the_nas(scene: Scene, watch: Watch) -> None:
    """As sshd and sudo write it."""
    scene.nas.run("sh", "-c", "cat > /proc/1/fd/2", stdin=f"planted {scene.secrets.rsa}\n")


PLANTED = (
    on_a_command_line, in_an_environment, in_a_temporary_file, in_a_file_here, in_the_history, on_a_label,
    in_the_output, in_the_log_of_the_nas,
)  # fmt: skip


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_leak_is_found(scene: Scene, plant: object) -> None:
    """And told by the name of its secret."""
    assert callable(plant)
    try:
        with scene.watched() as watch:
            time.sleep(0.2)
            plant(scene, watch)
    finally:
        (Path.home() / ".loopdeploy-planted").unlink(missing_ok=True)
        scene.nas.run(DOCKER, "rm", "planted", check=False)
        scene.nas.run("rm", "-f", f"{STATE}/planted")
    assert watch.leaks, plant.__doc__


def test_what_a_secret_is_for_is_no_leak(scene: Scene) -> None:
    """The services have their keys in their environment, and nothing else is found when nothing is done."""
    assert f"OPENAI_API_KEY={scene.secrets.openai}" in scene.nas.inspect("loop-api")["Config"]["Env"]
    with scene.watched() as watch:
        subprocess.run(["docker", "exec", LAB, DOCKER, "exec", "loop-api", "true"], check=True)
    assert watch.leaks == []
