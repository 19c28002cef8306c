"""What doctor.sh tells of a NAS, run by `sh` against directories and a docker that is a script."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.module_utils.loop_doctor_told import Told

from tests.unit.conftest import ROLES

FILES = ROLES / "loop_service" / "files"
SCRIPT = f"{(FILES / 'state.sh').read_text()}\n{(FILES / 'doctor.sh').read_text()}"
VALUE = "sk-never-to-be-told"
DOCKER = """#!/bin/sh
case $1 in
  version) echo '20.10.24 1.41' ;;
  info) echo / ;;
  inspect) shift 5; [ "$1" = loop-auth ] && echo 'container loop-auth running healthy network:loop' ;;
esac
"""


class Nas:
    """A directory that stands for a NAS on which everything is right."""

    def __init__(self, root: Path) -> None:
        self.docker, self.state, self.loop = root / "docker", root / "state", root / "LOOP vault"
        self.keys, self.python = self.loop / "keys", Path(sys.executable)
        self.env = self.loop / ".env"
        self.etc, self.version = root / "synoinfo.conf", root / "VERSION"
        self.docker.write_text(DOCKER)
        self.docker.chmod(0o755)
        self.state.mkdir(0o700)
        self.keys.mkdir(0o700, parents=True)
        (self.loop / "Dockerfile").touch()
        self.write(self.keys / "1.a.pem", "-----BEGIN PRIVATE KEY-----\n", 0o600)
        self.write(self.keys / "0.b.pub", "-----BEGIN PUBLIC KEY-----\n", 0o644)
        self.write(self.loop / ".env", f"export OPENAI_API_KEY='{VALUE}'\n", 0o600)
        self.etc.touch()
        self.version.write_text('majorversion="7"\nproductversion="7.2.2"\n')

    @staticmethod
    def write(path: Path, text: str, mode: int) -> None:
        """Write a file with its mode."""
        path.write_text(text)
        path.chmod(mode)

    def ask(self, *shell: str) -> str:
        """Return what doctor.sh prints in ``shell``, or in `sh`.

        What it reads in /etc is read here, and this user stands for root.
        """
        script = SCRIPT.replace("/etc/synoinfo.conf", f"{self.etc}").replace("/etc.defaults/VERSION", f"{self.version}")
        script = script.replace("user $(id -u)", "user 0")
        paths = [self.docker, self.state, self.python, self.state / "python", self.loop, self.keys]
        lists = ["loop-auth loop-api", "OPENAI_API_KEY ANTHROPIC_API_KEY", str(self.env)]
        places = [self.loop / "Dockerfile", self.loop / "Dockerfile.auth", "--", self.loop, self.loop / "exec"]
        command = [*(shell or ["sh"]), "-c", script, "doctor.sh", *map(str, [*paths, *lists, *places])]
        result = subprocess.run(command, capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (0, "")
        assert VALUE not in result.stdout
        return result.stdout

    def told(self, *shell: str) -> Told:
        """Return what doctor.sh tells."""
        told: Told = Told(self.ask(*shell))
        return told


@pytest.fixture
def nas(tmp_path: Path) -> Nas:
    """Return a NAS on which everything is right, but what a test changes."""
    return Nas(tmp_path)


def test_everything_that_there_is_is_told(nas: Nas) -> None:
    """In one go."""
    told = nas.told()
    assert told.one("dsm") == "7.2.2"
    assert told.one("python").split(".") == list(map(str, sys.version_info[:3]))
    assert told.one("requests")
    assert (told.one("docker"), told.one("engine")) == (str(nas.docker), "20.10.24 1.41")
    assert told.all("container") == ["loop-auth running healthy network:loop"]
    assert told.one("state") == f"700 {os.getuid()}"
    assert told.all("dockerfile") == [f"found {nas.loop}/Dockerfile", f"missing {nas.loop}/Dockerfile.auth"]
    assert told.all("source") == [f"found {nas.loop}", f"missing {nas.loop}/exec"]
    assert (told.all("keys"), told.all("key")) == ([f"700 {nas.keys}"], [f"600 {nas.keys}/1.a.pem"])
    assert (told.one("env"), told.all("api-key")) == (f"600 {nas.loop}/.env", ["OPENAI_API_KEY"])
    for what in ("volume", "images", "build"):
        free, mount = told.one(f"space-{what}").split()
        assert int(free) > 0 and os.path.ismount(mount)
    assert int(told.one("time")) > 1_700_000_000


def test_nothing_is_told_of_what_there_is_not(tmp_path: Path) -> None:
    """A bare NAS, or one whose inventory is wrong, gets an answer, too."""
    nas = Nas(tmp_path)
    nas.docker.unlink()
    nas.etc.unlink()
    nas.python = tmp_path / "python"
    nas.loop = nas.keys = nas.state = nas.env = tmp_path / "none"
    told = nas.told()
    absent = ("dsm", "docker", "container", "state", "checkout", "keys", "key", "env", "api-key", "space-images")
    assert not [word for word in absent if told.has(word)]
    assert [told.one(word) for word in ("python", "requests", "engine")] == ["", "", ""]
    assert told.one("space-volume") and told.one("time")


def test_python_without_requests_is_told(nas: Nas, tmp_path: Path) -> None:
    """DSM's Python has none."""
    nas.python = tmp_path / "python"
    nas.write(nas.python, f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n', 0o755)
    told = nas.told()
    assert told.one("python") and not told.one("requests")


def test_nothing_is_run_that_others_may_have_written(nas: Nas, tmp_path: Path) -> None:
    """Not even to find its version."""
    planted = nas.state / "python" / "requests"
    planted.mkdir(parents=True)
    (planted / "__init__.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')\n__version__ = '1'\n")
    nas.python = tmp_path / "python"
    nas.write(nas.python, f'#!/bin/sh\nexec {sys.executable} -S "$@"\n', 0o755)
    assert nas.told().one("requests") == "1"
    (tmp_path / "run").unlink()
    nas.state.chmod(0o770)
    assert (nas.told().one("requests"), nas.told().one("state")) == ("", f"770 {os.getuid()}")
    nas.state.rename(tmp_path / "elsewhere")
    nas.state.symlink_to(tmp_path / "elsewhere")
    assert (nas.told().one("requests"), nas.told().one("state")) == ("", f"link {tmp_path / 'elsewhere'}")
    assert not (tmp_path / "run").exists()


def test_nothing_is_run_that_lies_where_the_login_begins(
    nas: Nas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a home directory that others may write into."""
    (tmp_path / "home").mkdir()
    for name in ("requests", "json", "socket"):
        (tmp_path / "home" / f"{name}.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path / "home")
    nas.ask()
    assert not (tmp_path / "run").exists()


def test_checkout_names_its_revision(nas: Nas) -> None:
    """Of a git checkout; of a mere directory there is none to name."""
    assert (nas.told().has("checkout"), nas.told().one("checkout")) == (True, "")
    git = ["git", "-C", str(nas.loop), "-c", "user.name=x", "-c", "user.email=x@localhost"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    assert len(nas.told().one("checkout")) == 7


def test_empty_env_is_none(nas: Nas) -> None:
    """The engine makes one, open to all, for a container that hides an .env that was removed."""
    nas.write(nas.env, "", 0o755)
    assert not nas.told().has("env")


def test_engine_that_is_down_has_no_version(nas: Nas) -> None:
    """Whatever docker says then."""
    nas.write(nas.docker, "#!/bin/sh\necho '<no value>'\nexit 1\n", 0o755)
    told = nas.told()
    assert (told.one("docker"), told.one("engine"), told.all("container")) == (str(nas.docker), "", [])


def test_engine_that_hangs_does_not_hang_the_doctor(nas: Nas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question ends after ten seconds; here `timeout` is a script that ends those to docker at once."""
    program = '#!/bin/sh\n[ "$1" = 10 ] || exit 2\nshift\n[ "${1##*/}" != docker ] || exit 124\nexec "$@"\n'
    nas.write(tmp_path / "timeout", program, 0o755)
    nas.write(nas.docker, "#!/bin/sh\nexec sleep 600\n", 0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    told = nas.told()
    assert (told.one("engine"), told.all("container"), told.has("space-images")) == ("", [], False)
    assert told.one("space-volume")


def test_nas_with_another_timeout_is_asked_without(nas: Nas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old busybox wants other arguments."""
    nas.write(tmp_path / "timeout", "#!/bin/sh\necho 'usage: timeout [-t SECS]' >&2\nexit 1\n", 0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert nas.told().one("engine") == "20.10.24 1.41"


def test_nothing_changes(nas: Nas, tmp_path: Path) -> None:
    """Neither a file nor a time of one."""

    def seen() -> list[tuple[str, int, int]]:
        return [(str(path), path.stat().st_mtime_ns, path.stat().st_mode) for path in sorted(tmp_path.rglob("*"))]

    before = seen()
    nas.ask()
    assert seen() == before
