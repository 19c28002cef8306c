"""What doctor.sh says of the API keys in an `.env`, beside what a deployment reads there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from loopdeploy.env_file import api_keys
from tests.unit.test_doctor_script import VALUE
from tests.unit.test_doctor_script import Nas
from tests.unit.test_doctor_script import nas as nas
from tests.unit.test_env_file import LINES

SHELLS = [["sh"], *([["busybox", "sh"]] if shutil.which("busybox") else [])]
# The lines that env_file.yml takes.
TAKEN = "(OPENAI_API_KEY|ANTHROPIC_API_KEY)[[:space:]]*="
# There or not in the eyes of a deployment, or refused for an open quote; VALUE stands for a key.
PRESENT = [
    "OPENAI_API_KEY={}",
    "  export \t OPENAI_API_KEY={}",
    "OPENAI_API_KEY='{}' # mine",
    "OPENAI_API_KEY=\"\"'{}'",
    'OPENAI_API_KEY="\'\\"{}"',
    "OPENAI_API_KEY=''\\ ",
    "true && OPENAI_API_KEY={}",
    "false;OPENAI_API_KEY={}",
    "OPENAI_API_KEY={}|cat",
    "A=b OPENAI_API_KEY={} C='d e'",
    "export A OPENAI_API_KEY={} docker",
    "OPENAI_API_KEY=\u00a0{}",
    "OPENAI_API_KEY={} OTHER='",
    "OTHER='\nOPENAI_API_KEY={}\n'",
    "OPENAI_API_KEY={}\nOPENAI_API_KEY= docker run",
    "OPENAI_API_KEY={}\\",
    "OPENAI_API_KEY=$CAT",
    "OPENAI_API_KEY=#",
]
ABSENT = [
    "OPENAI_API_KEY={} docker run",
    "OPENAI_API_KEY='{}' 'x'",
    "docker run -e OPENAI_API_KEY={}",
    "docker run -e 'OPENAI_API_KEY={}'",
    "'export' OPENAI_API_KEY={} \\",
    "OPENAI_API_KEY={}\nOPENAI_API_KEY=''\"\"",
    "OPENAI_API_KEY='' # {}",
    "OPENAI_API_KEY = {}",
    "# OPENAI_API_KEY={}",
    "MY_OPENAI_API_KEY={}",
    "OPENAI_API_KEY_OLD={}",
    "\\OPENAI_API_KEY={}",
    "OPENAI_API_KEY=$(cat {})",
    "A-B=c OPENAI_API_KEY={}",
    "echo 'OPENAI_API_KEY={}",
]
REFUSED = [
    'OPENAI_API_KEY="\\\n"\nOPENAI_API_KEY="\'\\"{}"',
    "OPENAI_API_KEY=a'{}",
    "OPENAI_API_KEY='{}\n{}'",
    'export OPENAI_API_KEY="{}\\"',
    "OPENAI_API_KEY={}\n  ANTHROPIC_API_KEY='{}\n",
    "A='b' ; OPENAI_API_KEY=\"{}'",
]


def read(file: Path) -> str | dict[str, str]:
    """Return what a deployment reads of each key, or why it refuses the file."""
    lines = subprocess.run(["grep", "-sE", TAKEN, file], capture_output=True, text=True).stdout
    try:
        return api_keys(lines)
    except ValueError as error:
        return str(error)


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a shell, with the tools that come with it."""
    shell: list[str] = request.param
    if shell[0] == "busybox":
        (tmp_path / "applets").mkdir()
        for tool in ("awk", "grep", "tr"):
            (tmp_path / "applets" / tool).symlink_to(str(shutil.which("busybox")))
        monkeypatch.setenv("PATH", str(tmp_path / "applets"), prepend=":")
    return shell


def agreed(nas: Nas, shell: list[str], text: str) -> tuple[str | dict[str, str], list[str]]:
    """Return what a deployment reads of an .env with ``text``, and the keys that are there for doctor.sh, too."""
    nas.env.write_text(text)
    nas.python = nas.loop / "python"  # there is none, which saves time
    found, told = read(nas.env), nas.told(*shell)
    if isinstance(found, str):
        assert (told.all("api-key"), f"in the line of {told.one('open-quote')} is" in found) == ([], True)
    else:
        assert (told.all("api-key"), told.all("open-quote")) == ([name for name in found if found[name]], [])
    return found, told.all("api-key")


@pytest.mark.parametrize("form", PRESENT)
def test_key_that_a_deployment_reads_is_there(nas: Nas, shell: list[str], form: str) -> None:
    """However it is written."""
    assert agreed(nas, shell, form.format(VALUE))[1] == ["OPENAI_API_KEY"]


@pytest.mark.parametrize("form", ABSENT)
def test_key_that_a_deployment_does_not_read_is_missing(nas: Nas, shell: list[str], form: str) -> None:
    """However much it looks like one."""
    assert agreed(nas, shell, form.format(VALUE)) == ({"OPENAI_API_KEY": "", "ANTHROPIC_API_KEY": ""}, [])


@pytest.mark.parametrize("form", REFUSED)
def test_file_that_a_deployment_refuses_is_told(nas: Nas, shell: list[str], form: str) -> None:
    """Neither of the keys comes from it."""
    assert isinstance(agreed(nas, shell, form.format(VALUE, VALUE))[0], str)


@pytest.mark.parametrize("text", [text for text, _ in LINES])
def test_doctor_and_a_deployment_agree(nas: Nas, shell: list[str], text: str) -> None:
    """On what a shell would read, too; with a byte order mark and the line ends of Windows."""
    nas.env = nas.loop / "another.env"
    agreed(nas, shell, "\ufeff" + text.replace("\n", "\r\n") + "\r\n")
    assert nas.told(*shell).one("env").endswith("/another.env")


def test_nothing_in_the_file_is_run(nas: Nas, shell: list[str]) -> None:
    """It is read by a program that has no such thing."""
    agreed(nas, shell, f"A=$(touch {nas.loop}/run)\nOPENAI_API_KEY=`touch {nas.loop}/run`\n")
    assert not (nas.loop / "run").exists()
