"""The two scripts around a verb, run by `sh` against a docker that is a script itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import loop_lock

from tests.unit.conftest import ROLES
from tests.unit.conftest import Load
from tests.unit.conftest import Run

FILES = ROLES / "loop_service" / "files"
ME = {"verb": "rebuild", "token": "ann@desk:1:1"}
DOCKER = """#!/bin/sh
case $1 in
  info) echo / ;;
  container) shift 4; for name; do [ "$name" = loop-api ] && echo "/$name sha256:1a2b running healthy"; done; exit 1 ;;
esac
"""


@pytest.fixture
def docker(tmp_path: Path) -> Path:
    """Write a docker that knows of one container."""
    path = tmp_path / "docker"
    path.write_text(DOCKER)
    path.chmod(0o755)
    return path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return where the state will be."""
    return tmp_path / "state"


def sh(script: str, *arguments: object, shell: str = "sh", before: str = "") -> subprocess.CompletedProcess[str]:
    """Run a script as the role does, behind what is to be ``before`` it."""
    text = f"{before}\n{(FILES / 'state.sh').read_text()}\n{(FILES / script).read_text()}"
    command = [*shell.split(), "-c", text, script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def begin(docker: Path, state: Path, entry: dict[str, Any] | None = None, least: int = 0) -> list[str]:
    """Return what begin.sh tells."""
    text = json.dumps(entry)[:-1] if entry else ""
    return sh(
        "begin.sh", docker, state, state / "python", "{{.Name}}", "loop-api", text, 60, least, "t"
    ).stdout.splitlines()


def end(state: Path, **entry: Any) -> int:
    """Return with what end.sh ends."""
    return sh("end.sh", state, ME["token"], json.dumps({**ME, **entry})[:-1]).returncode


def history(state: Path) -> list[dict[str, Any]]:
    """Return the lines of the history that can be read."""
    return [json.loads(line) for line in (state / "history.jsonl").read_text().splitlines()]


def test_lock_is_taken_and_written_down(docker: Path, state: Path) -> None:
    """One round trip: the lock, the history, and what runs."""
    assert begin(docker, state, ME) == ["taken", "/loop-api sha256:1a2b running healthy"]
    owner = json.loads((state / "lock" / "owner.json").read_text())
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    assert owner["nas_boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert {**ME, "lease": 60}.items() <= owner.items()
    assert uptime + 55 < owner["until"] <= uptime + 60
    assert {**ME, "event": "start", "at": owner["at"]} in history(state)
    assert (state.stat().st_mode & 0o777, (state / "history.jsonl").stat().st_mode & 0o777) == (0o700, 0o600)


def test_held_lock_is_told_and_left_alone(docker: Path, state: Path) -> None:
    """Who holds it is for the module to judge."""
    begin(docker, state, {"token": "bob@lap:2:2"})
    told = begin(docker, state, ME)
    assert told[0].startswith('locked {"token": "bob@lap:2:2"')
    assert [line["token"] for line in history(state)] == ["bob@lap:2:2"]


def test_lock_without_an_owner_is_held(docker: Path, state: Path) -> None:
    """Somebody is just making it."""
    (state / "lock").mkdir(parents=True)
    assert begin(docker, state, ME)[0] == "locked "


def mkdir(bin_dir: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Put a script in mkdir's place."""
    bin_dir.mkdir()
    (bin_dir / "mkdir").write_text(f"#!/bin/sh\n{text}")
    (bin_dir / "mkdir").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_dir}:{os.environ['PATH']}")


def test_lock_that_is_given_back_while_it_is_looked_at_is_taken(
    docker: Path, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not left behind without an owner, which nobody could take before it counts as half written."""
    begin(docker, state, {"token": "bob@lap:2:2"})
    # Its owner ends behind our first attempt.
    mkdir(tmp_path / "bin", monkeypatch, '/bin/mkdir "$@" || { rm -rf "$1"; exit 1; }\n')
    assert begin(docker, state, ME)[0] == "taken"
    assert json.loads((state / "lock" / "owner.json").read_text())["token"] == ME["token"]
    assert history(state)[-1]["event"] == "start"


def test_lock_that_is_given_back_behind_the_last_look_is_told_as_held(docker: Path, state: Path) -> None:
    """A verb that is told neither that it has the lock nor that somebody does would go on without one."""
    begin(docker, state, {"token": "bob@lap:2:2"})
    gone = f"""[() {{ builtin [ "$@" || return; [[ "$*" != "-d {state}/lock ]" ]] || rm -rf {state}/lock; }}"""
    arguments = (docker, state, state / "python", "{{.Name}}", "loop-api", json.dumps(ME)[:-1], 60, 0, ME["token"])
    told = sh("begin.sh", *arguments, shell="bash", before=gone)
    assert (told.stdout.splitlines()[0], (state / "lock").exists()) == ("locked ", False)


def test_state_directory_that_takes_no_lock_is_told(
    docker: Path, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what mkdir said."""
    state.mkdir(0o700)
    mkdir(tmp_path / "bin", monkeypatch, 'echo "mkdir: $1: No space left" >&2; exit 1\n')
    told = sh("begin.sh", docker, state, state / "python", "{{.Name}}", "loop-api", json.dumps(ME)[:-1], 60, 0, "t")
    assert (told.returncode, told.stdout, told.stderr) == (1, "", f"mkdir: {state}/lock: No space left\n")


@pytest.mark.parametrize("shell", ["sh", "dash", "bash", "busybox sh"])
@pytest.mark.parametrize(
    ("user", "host"), [("AD\\kim", "desk"), ("zoë", "büro"), ('a"b\\new', "desk"), ("ann", "desk"), ("a %s b", "\\")]
)
def test_lock_is_found_whatever_its_owner_is_called(
    docker: Path,
    state: Path,
    load: Load,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    user: str,
    host: str,
    shell: str,
) -> None:
    """JSON has another form of some characters: the scripts take a lock over, tell whose it is, and give it back."""
    if not shutil.which(shell.split()[0]):
        pytest.skip(f"There is no {shell}.")
    filters = load("loop_service/filter_plugins/loop_lock.py").FilterModule().filters()
    monkeypatch.setenv("LOGNAME", user)
    monkeypatch.setattr("socket.gethostname", lambda: host)
    me = filters["loop_lock_mine"]({"verb": "rebuild"})

    def told(token: str) -> list[str]:
        entry = json.dumps({**me, "token": token})[:-1]
        arguments = (docker, state, state / "python", "{{.Name}}", "loop-api", entry, 60, 0, token)
        return sh("begin.sh", *arguments, shell=shell).stdout.splitlines()

    # By begin.sh, which knows its own lock again.
    assert (told(me["token"])[0], told(me["token"])[0]) == ("taken", "taken")
    owner = filters["loop_lock_owner"](told("bob@lap:2:2"))
    assert (owner["held"], owner["user"], owner["host"], owner["token"]) == (True, user, host, me["token"])
    assert filters["loop_lock_alive"](owner) is True
    # By the module, which takes it over from a run of the same name.
    dead = {**me, "token": me["token"] + "0"}
    (state / "lock" / "owner.json").write_text(json.dumps({**owner, **dead}))
    kind, result = run("deploy_lock", state_dir=str(state), owner=me, dead=dead["token"])
    assert (kind, result["why"][-16:]) == ("ok", "that run is gone")
    assert f"the lock of {user} on {host} (process" in result["why"]
    assert told(me["token"])[0] == "taken"
    ended = sh("end.sh", state, me["token"], json.dumps({**me, "outcome": "done"})[:-1], shell=shell)
    assert (ended.returncode, (state / "lock").exists()) == (0, False)
    assert {(line["user"], line["host"]) for line in history(state)} == {(user, host)}


def test_lock_of_begin_is_judged_by_the_boot_it_was_taken_in(
    docker: Path, state: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Soon after a power cut the NAS's uptime is like that when the lock was taken."""
    begin(docker, state, ME)
    bob = {"token": "bob@lap:2:2"}
    assert run("deploy_lock", state_dir=str(state), owner=bob)[0] == "failed"
    monkeypatch.setattr(loop_lock, "boot_id", lambda: "another")
    kind, result = run("deploy_lock", state_dir=str(state), owner=bob)
    assert (kind, result["why"][-30:]) == ("ok", "the NAS was started anew since")


def test_check_mode_takes_no_lock(docker: Path, state: Path) -> None:
    """It only reads, on a NAS that knows nothing of loopdeploy, too."""
    assert begin(docker, state) == ["/loop-api sha256:1a2b running healthy"]
    assert not state.exists()


@pytest.mark.parametrize("left", ['{"event": "st', '{"event": "start"}\n', ""])
def test_truncated_history_goes_on_in_a_line_of_its_own(docker: Path, state: Path, left: str) -> None:
    """A full disk or a power cut may have cut the last one."""
    state.mkdir()
    (state / "history.jsonl").write_text(left)
    begin(docker, state, ME)
    lines = (state / "history.jsonl").read_text().splitlines()
    assert lines[:-1] == ([left.strip()] if left else [])
    assert json.loads(lines[-1])["token"] == ME["token"]


def test_disk_without_room_is_named(docker: Path, state: Path) -> None:
    """Its mount point, and how many MiB are left."""
    full = [line.split() for line in begin(docker, state, ME, least=10**9) if line.startswith("full ")]
    assert full and all(os.path.ismount(where) and int(left) < 10**9 for _, where, left in full)


def test_bare_nas_is_no_failure(docker: Path, state: Path) -> None:
    """It has neither a container nor requests nor a state directory."""
    docker.write_text("#!/bin/sh\nexit 1\n")
    told = sh("begin.sh", docker, state, state / "python", "{{.Name}}", "loop-api", "", 60, 0, "t")
    assert (told.returncode, told.stdout.strip()) == (0, "")


def test_disk_of_the_images_is_found_by_a_container(docker: Path, state: Path) -> None:
    """Asking the engine for its directory takes as long as all the rest."""
    docker.write_text(DOCKER.replace("healthy", "healthy /dev/shm/containers/1a2b/resolv.conf"))
    assert any(line.startswith("full /dev/shm ") for line in begin(docker, state, least=10**9))


def test_history_that_cannot_be_written_takes_no_lock(docker: Path, state: Path) -> None:
    """A directory in the file's place stands for a disk that takes no more."""
    (state / "history.jsonl").mkdir(parents=True)
    assert "taken" not in begin(docker, state, ME)
    assert not (state / "lock").exists()


@pytest.mark.parametrize("journal", ["swap-loop-api.json", "restore-loop-api.json"])
def test_journal_of_what_was_interrupted_is_told(docker: Path, state: Path, journal: str) -> None:
    """So that the verb heals it first."""
    state.mkdir()
    (state / journal).touch()
    assert f"{state}/{journal}" in begin(docker, state)


def test_end_writes_the_outcome_and_gives_the_lock_back(docker: Path, state: Path) -> None:
    """With each replacement of the run."""
    begin(docker, state, ME)
    (state / "lock" / "swaps.jsonl").write_text('{"service": "loop-auth"}\n{"service": "loop-api"}\n')
    assert end(state, outcome="done", step="") == 0
    line = history(state)[-1]
    assert (line["event"], line["outcome"], line["token"]) == ("end", "done", ME["token"])
    assert line["swaps"] == [{"service": "loop-auth"}, {"service": "loop-api"}]
    assert not (state / "lock").exists()


def test_end_leaves_another_one_s_lock_alone(docker: Path, state: Path) -> None:
    """One who failed before having it, or lost it, still tells the outcome."""
    begin(docker, state, {"token": "bob@lap:2:2"})
    (state / "lock" / "swaps.jsonl").write_text('{"service": "loop-auth"}\n')
    assert end(state, outcome="failed", step="Build") == 0
    assert (history(state)[-1]["outcome"], history(state)[-1]["swaps"]) == ("failed", [])
    assert (state / "lock").exists()


def test_end_on_a_new_nas_writes_nothing(state: Path) -> None:
    """Without a state directory there was no run."""
    assert end(state, outcome="failed", step="") == 0
    assert not state.exists()


def test_end_that_cannot_write_still_gives_the_lock_back(docker: Path, state: Path) -> None:
    """The next run must not wait for a lease."""
    begin(docker, state, ME)
    (state / "history.jsonl").unlink()
    (state / "history.jsonl").mkdir()
    assert end(state, outcome="done", step="") != 0
    assert not (state / "lock").exists()


def test_end_without_a_newline_before_it_has_a_line_of_its_own(docker: Path, state: Path) -> None:
    """The disk may have been full when the verb began."""
    begin(docker, state, ME)
    (state / "history.jsonl").write_text('{"event": "st')
    assert end(state, outcome="done", step="") == 0
    assert json.loads((state / "history.jsonl").read_text().splitlines()[1])["event"] == "end"


def spoil(state: Path, how: str) -> None:
    """Make of the state directory what somebody else may have made."""
    if how == "link":
        state.rename(state.with_name("elsewhere"))
        state.symlink_to(state.with_name("elsewhere"))
    elif how == "file":
        state.rename(state.with_name("elsewhere"))
        state.write_text("")
    elif how == "owner":
        os.chown(state, 12345, -1)
    else:
        state.chmod(int(how, 8))


@pytest.mark.parametrize("how", ["link", "file", "770", "707", "1777", "2770", "owner"])
@pytest.mark.parametrize("entry", [ME, None], ids=["with the lock", "without"])
def test_state_directory_of_somebody_else_is_refused(
    docker: Path, state: Path, how: str, entry: dict[str, Any] | None
) -> None:
    """Root would run what is in it, and write where they want."""
    if how == "owner" and os.getuid():
        pytest.skip("only root gives a directory to somebody else")
    state.mkdir(0o700)
    spoil(state, how)
    before = sorted(state.parent.rglob("*"))
    text = json.dumps(entry)[:-1] if entry else ""
    told = sh("begin.sh", docker, state, state / "python", "{{.Name}}", "loop-api", text, 60, 0, "t")
    assert (told.returncode, told.stdout) == (1, "")
    assert f"The state directory {state} is not root's alone (" in told.stderr and "move it away" in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert end(state, outcome="failed") == 0
    assert sorted(state.parent.rglob("*")) == before


def test_link_is_refused_by_any_name(docker: Path, state: Path) -> None:
    """A slash behind a link's name is what it points to."""
    state.mkdir(0o700)
    spoil(state, "link")
    told = sh(
        "begin.sh", docker, f"{state}/", state / "python", "{{.Name}}", "loop-api", json.dumps(ME)[:-1], 60, 0, "t"
    )
    assert (told.returncode, list(state.iterdir())) == (1, [])


def test_state_directory_that_is_written_into_while_it_is_made_is_not_kept(
    docker: Path, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until its mode is set, a Synology ACL may let others in; here `mkdir` does."""
    mkdir(tmp_path / "bin", monkeypatch, '/bin/mkdir "$1" && echo planted >"$1/python"\n')
    told = sh("begin.sh", docker, state, state / "python", "{{.Name}}", "loop-api", json.dumps(ME)[:-1], 60, 0, "t")
    assert (told.returncode, state.exists()) == (1, False)
    assert "Somebody else writes into" in told.stderr


@pytest.mark.parametrize("mode", ["700", "755", "2700"])
def test_state_directory_that_only_its_owner_writes_into_is_adopted(docker: Path, state: Path, mode: str) -> None:
    """An operator who made it by hand; and a directory inherits a group."""
    state.mkdir()
    state.chmod(int(mode, 8))
    assert begin(docker, state, ME)[0] == "taken"
    assert state.stat().st_mode & 0o777 == 0o700


def test_revision_of_what_is_about_to_be_built_is_told(docker: Path, state: Path, tmp_path: Path) -> None:
    """A directory without git has none, and a directory's name may have a blank."""
    checkout, bare = tmp_path / "my vault", tmp_path / "bare"
    for place in (checkout, bare):
        place.mkdir()
    git = ["git", "-C", str(checkout), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "a"]):
        subprocess.run([*git, *words], check=True)
    revision = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout[:7]
    arguments = (docker, state, state / "python", "{{.Name}}", "loop-api", "", 60, 0, "t", checkout, bare)
    told = sh("begin.sh", *arguments)
    assert told.returncode == 0
    assert told.stdout.splitlines()[-2:] == [f"revision {revision} {checkout}", f"revision unknown {bare}"]
