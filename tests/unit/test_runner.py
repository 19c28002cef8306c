"""Running a playbook with the real ansible-runner, on this machine alone."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import contextmanager
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from ansible_runner.interface import init_runner

from loopdeploy.content import CONTENT
from loopdeploy.errors import InterruptedRunError
from loopdeploy.errors import LoopdeployError
from loopdeploy.errors import SetupError
from loopdeploy.interruption import GRACE
from loopdeploy.interruption import SIGNALS
from loopdeploy.progress import HEALED
from loopdeploy.runner import LOCKED_FIRST
from loopdeploy.runner import RECOVER
from loopdeploy.runner import run_playbook
from loopdeploy.target import Target
from loopdeploy.vault_password import VaultPassword

HOST = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
SECRET = "correct horse battery staple"
CONFIG = Path(__file__).resolve().parents[2] / "ansible.cfg"


@pytest.fixture(autouse=True)
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """Mark every process that the test starts."""
    value = f"LOOPDEPLOY_TEST={uuid.uuid4()}"
    monkeypatch.setenv(*value.split("="))
    return value


@pytest.fixture(autouse=True)
def content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a tree of playbooks and an inventory with this machine as its host."""
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "ansible.cfg").write_text(CONFIG.read_text())
    (tmp_path / "hosts.yml").write_text(json.dumps({"loop": {"hosts": {"nas": HOST}}}))
    monkeypatch.setattr("loopdeploy.runner.CONTENT", tmp_path)
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "ansible"))
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE", raising=False)
    return tmp_path


@pytest.fixture
def directories(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Note each directory that ansible-runner is given."""
    noted: list[Path] = []

    def note(**arguments: Any) -> Any:
        noted.append(Path(arguments["private_data_dir"]))
        return init_runner(**arguments)

    monkeypatch.setattr("loopdeploy.runner.init_runner", note)
    return noted


def run(content: Path, *tasks: dict[str, Any], target: Target | None = None, **variables: object) -> list[str]:
    """Run ``tasks`` as a playbook."""
    play = {"hosts": "loop", "gather_facts": False, "tasks": tasks}
    (content / "playbooks" / "x.yml").write_text(json.dumps([play]))
    target = target or Target()
    target.inventory = str(content / "hosts.yml")
    return run_playbook("x", target, **variables)


@contextmanager
def signalled(ready: Callable[[], object], number: signal.Signals = signal.SIGINT) -> Iterator[None]:
    """Send this process a signal once ``ready`` tells that it is time."""

    def send() -> None:
        wait_for(ready)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def say(message: str) -> dict[str, Any]:
    """Return a task that says ``message``."""
    return {"name": "Say it", "ansible.builtin.debug": {"msg": message}}


def heal() -> dict[str, Any]:
    """Return the task that says what was done about an interrupted run."""
    return {**say("{{ ['undid healed', 'removed the rest'] }}"), "name": HEALED}


def shell(command: str) -> dict[str, Any]:
    """Return a task that runs ``command``."""
    return {"name": "Run it", "ansible.builtin.command": {"argv": ["sh", "-c", command]}}


def wait_for(condition: Callable[[], object], seconds: float = 20) -> bool:
    """Return whether ``condition`` came true in time."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return bool(condition())


def read(file: Path) -> bytes:
    """Return what is in ``file``, nothing when its process has gone."""
    try:
        return file.read_bytes()
    except OSError:
        return b""


def processes(mark: str) -> list[Path]:
    """Return the directory in /proc of each process that the test started."""
    return [path for path in Path("/proc").glob("[0-9]*") if mark.encode() in read(path / "environ")]


def handlers() -> list[Any]:
    """Return what happens on each signal that ends a run."""
    return [signal.getsignal(number) for number in SIGNALS]


def test_success_says_what_the_playbook_says_and_what_changed(
    content: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Messages go to standard output, steps and the summary to standard error."""
    run(content, shell("true"), say("hello"))
    captured = capsys.readouterr()
    assert captured.out == "hello\n"
    assert "changed" in captured.err.splitlines()[0]
    assert captured.err.splitlines()[1].startswith("x: 1 change, ")


def test_failure_names_host_step_and_reason(content: Path) -> None:
    """The error of a failed command holds what it printed."""
    with pytest.raises(LoopdeployError, match="^nas: Run it: non-zero return code no such luck$") as error:
        run(content, shell("echo no such luck >&2; exit 3"))
    assert error.value.exit_code == 1


def test_variables_reach_the_play_unless_they_are_none(content: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the operator leaves open keeps the playbook's default."""
    run(content, say("{{ given | join(' ') }} {{ open | default('default') }}"), given=["a", "b c"], open=None)
    assert capsys.readouterr().out == "a b c default\n"


def test_what_was_healed_is_returned(content: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also said, as every message; nothing else is among it."""
    assert run(content, say("other"), heal()) == ["undid healed", "removed the rest"]
    assert capsys.readouterr().out == "other\nundid healed\nremoved the rest\n"


def test_what_a_playbook_advises_names_the_inventory(content: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Copied, it works on the NAS that it was said of."""
    run(content, say("`loopdeploy bootstrap` makes it"))
    assert capsys.readouterr().out == f"`loopdeploy -i {content / 'hosts.yml'} bootstrap` makes it\n"


@pytest.mark.parametrize(
    ("number", "raises"), [(errno.ENOSPC, pytest.raises(OSError, match="lost")), (errno.EPIPE, nullcontext())]
)
def test_output_that_is_full_does_not_pass_for_an_answer(
    content: Path, monkeypatch: pytest.MonkeyPatch, number: int, raises: AbstractContextManager[object]
) -> None:
    """The run goes on to its end all the same, as half a deployment would be worse; `| head` is no trouble."""

    def refuse(*arguments: object) -> None:
        raise OSError(number, "lost")

    monkeypatch.setattr("loopdeploy.progress.say", refuse)
    with raises:
        run(content, say("the answer"), shell(f"touch {content / 'done'}"))
    assert (content / "done").exists()


def test_check_changes_nothing(content: Path) -> None:
    """--check reaches Ansible."""
    run(content, {"ansible.builtin.file": {"path": str(content / "new"), "state": "touch"}}, target=Target(check=True))
    assert not (content / "new").exists()


def test_verbose_shows_ansible_s_own_output(content: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """-v gives what ansible-playbook would."""
    run(content, say("hello"), target=Target(verbose=1))
    assert "TASK [Say it]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("hosts", "limit", "message"),
    [
        ("other: {hosts: {nas: }}", None, "no host or group loop"),
        ("loop: {hosts: {nas: }}", "typo", "no host or group typo"),
        ("loop: [", None, "hosts.yml cannot be read"),
    ],
)
def test_inventory_without_the_nas_is_an_error(content: Path, hosts: str, limit: str | None, message: str) -> None:
    """A mistyped inventory does not do nothing and call it success."""
    (content / "hosts.yml").write_text(hosts)
    with pytest.raises(SetupError, match=message):
        run(content, say("never"), target=Target(limit=limit))


def test_run_leaves_nothing_behind(
    content: Path, directories: list[Path], mark: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a file in memory or in the temporary directory, nor a process, nor a signal handler."""
    (content / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(content / "tmp"))
    before = handlers()
    run(content, shell("true"))
    with pytest.raises(LoopdeployError):
        run(content, shell("false"))
    assert [directory.exists() for directory in directories] == [False, False]
    assert list((content / "tmp").iterdir()) == []
    assert processes(mark) == []
    assert handlers() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_interrupted_run_ends_soon_and_leaves_nothing(
    content: Path, directories: list[Path], mark: str, number: signal.Signals
) -> None:
    """Ctrl-C, its neighbour SIGQUIT and a supervisor's SIGTERM end Ansible with all that it started."""
    before, started = handlers(), content / "started"

    begun = time.monotonic()
    with (
        signalled(started.exists, number),
        pytest.raises(InterruptedRunError, match="x did not finish; see `loopdeploy -i .* status`") as error,
    ):
        run(content, shell(f"touch {started}; exec sleep 60"))
    assert error.value.exit_code == 130
    assert time.monotonic() - begun < GRACE
    assert wait_for(lambda: not processes(mark), seconds=2)
    assert not directories[0].exists()
    assert handlers() == before


@pytest.mark.parametrize(
    ("recovery", "sentence"),
    [
        (say("healed"), "x did not finish; nothing on the NAS was left half done; see above for what runs now"),
        (heal(), "x did not finish; loopdeploy undid healed and removed the rest; see above for what runs now"),
        (shell("exit 3"), "finished or undone by the next run, because now it could not be: nas: Run it: non-zero"),
    ],
)
def test_run_that_held_the_lock_is_recovered_when_interrupted(
    content: Path, capsys: pytest.CaptureFixture[str], recovery: dict[str, Any], sentence: str
) -> None:
    """What it left on the NAS is not left to the next verb; the lock least of all."""
    started = content / "started"
    play = {"hosts": "loop", "gather_facts": False, "tasks": [recovery]}
    (content / "playbooks" / "recover.yml").write_text(json.dumps([play]))

    with signalled(started.exists), pytest.raises(InterruptedRunError, match=sentence) as error:
        run(content, {**shell(f"touch {started}; exec sleep 60"), "name": "Begin x"})
    assert error.value.exit_code == 130
    assert ("healed" in capsys.readouterr().out) is ("see above" in sentence)


@pytest.mark.parametrize(("name", "check"), [("logs", False), ("x", True)])
def test_interrupted_run_that_only_looks_says_so(content: Path, name: str, check: bool) -> None:
    """Nobody who ended the wait for a log is sent to look for damage."""
    started = content / "started"
    task = {**shell(f"touch {started}; exec sleep 60"), "check_mode": False}
    play = {"hosts": "loop", "gather_facts": False, "tasks": [task]}
    (content / "playbooks" / f"{name}.yml").write_text(json.dumps([play]))

    with (
        signalled(started.exists),
        pytest.raises(InterruptedRunError, match=f"^Interrupted: {name} did not finish; nothing was changed.$"),
    ):
        run_playbook(name, Target(inventory=str(content / "hosts.yml"), check=check))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rebuild", "nothing that runs was touched."),
        ("stop", "nothing that runs was touched."),
        ("bootstrap", "see `loopdeploy -i .* status` for what runs now."),
        (RECOVER, "see `loopdeploy -i .* status` for what runs now."),
    ],
)
def test_interrupted_run_without_the_lock_says_what_it_may_have_touched(content: Path, name: str, words: str) -> None:
    """Nobody who ended a long build is sent to look for damage; what needs no lock may have done some."""
    started = content / "started"
    play = {"hosts": "loop", "gather_facts": False, "tasks": [shell(f"touch {started}; exec sleep 60")]}
    (content / "playbooks" / f"{name}.yml").write_text(json.dumps([play]))

    with (
        signalled(started.exists),
        pytest.raises(InterruptedRunError, match=f"^Interrupted: {name} did not finish; {words}$"),
    ):
        run_playbook(name, Target(inventory=str(content / "hosts.yml")))


def test_verbs_that_wait_for_the_lock_are_those_that_take_it() -> None:
    """By the tasks that all of them share; `recover` does nothing but what comes with the lock."""
    plays = {file.stem: file.read_text() for file in (CONTENT / "playbooks").glob("*.yml")}
    assert {name for name, text in plays.items() if "tasks_from: verb\n" in text} == {*LOCKED_FIRST, RECOVER}


def test_interruption_before_the_first_event_ends_the_run(content: Path, mark: str) -> None:
    """A Ctrl-C while Ansible is still loading is not lost."""
    with signalled(lambda: processes(mark)), pytest.raises(InterruptedRunError):
        run(content, shell("exec sleep 60"))
    assert wait_for(lambda: not processes(mark), seconds=2)


def encrypt(content: Path) -> None:
    """Write a vault that SECRET opens."""
    (content / "password").write_text(SECRET)
    file = content / "group_vars" / "loop" / "vault.yml"
    file.parent.mkdir(parents=True)
    file.write_text("vault_word: opened\n")
    vault = [str(Path(sys.executable).with_name("ansible-vault")), "encrypt", str(file)]
    subprocess.run([*vault, "--vault-password-file", str(content / "password")], check=True, capture_output=True)


def test_vault_password_file_opens_the_vault(content: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pipeline needs no terminal."""
    encrypt(content)
    run(content, say("{{ vault_word }}"), target=Target(vault_password_file=str(content / "password")))
    assert capsys.readouterr().out == "opened\n"


def test_typed_vault_password_opens_the_vault_and_stays_unseen(
    content: Path,
    directories: list[Path],
    mark: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """While the play runs, no file, command line or environment holds the password, and no event is kept."""
    encrypt(content)
    monkeypatch.setattr(Target, "vault_password", lambda target: VaultPassword(secret=SECRET))
    started, go = content / "started", content / "go"
    seen: list[bytes] = []
    kept: list[Path] = []

    def look() -> None:
        if wait_for(started.exists):
            running = processes(mark)
            files = [file for file in directories[0].rglob("*") if file.is_file()]
            seen.extend([read(path / name) for path in running for name in ("cmdline", "environ")])
            seen.extend([read(file) for file in files])
            kept.extend([file for file in files if file.suffix == ".json" and "partial" not in file.name])
        go.touch()

    thread = threading.Thread(target=look)
    thread.start()
    run(content, shell(f"touch {started}; until [ -e {go} ]; do sleep 0.05; done"), say("{{ vault_word }}"))
    thread.join()
    captured = capsys.readouterr()
    assert captured.out == "opened\n"
    assert any(b"--ask-vault-pass" in text for text in seen)
    assert not any(SECRET.encode() in text for text in seen)
    assert SECRET not in captured.err
    assert kept == []


def test_wrong_typed_vault_password_is_told_once(content: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped password ends the run, it does not hang."""
    encrypt(content)
    monkeypatch.setattr(Target, "vault_password", lambda target: VaultPassword(secret="wrong"))
    with pytest.raises(SetupError, match="the vault password does not open the vault"):
        run(content, say("{{ vault_word }}"))
