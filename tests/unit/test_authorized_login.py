"""Letting an SSH key log in, on a real file system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.conftest import Run

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKEY loopdeploy to nas"


def authorize(run: Run, check_mode: bool = False, user: str = "ann") -> list[str]:
    """Run the module; return what it did, and require that it says so."""
    kind, result = run("authorized_login", check_mode, user=user, key=KEY)
    assert kind == "ok", result
    assert result["changed"] is bool(result["mended"])
    return list(result["mended"])


def refused(run: Run, user: str = "ann") -> str:
    """Run the module; return why it failed."""
    kind, result = run("authorized_login", user=user, key=KEY)
    assert kind == "failed"
    return str(result["msg"])


def mode(path: Path) -> int:
    """Return who may do what with ``path``."""
    return path.stat().st_mode & 0o777


def test_key_is_installed_once(run: Run, home: Path) -> None:
    """A second time nothing changes."""
    home.mkdir(mode=0o755)
    keys = home / ".ssh" / "authorized_keys"
    assert authorize(run) == [f"the key was put into {keys}"]
    assert keys.read_text() == f"{KEY}\n"
    assert (mode(home / ".ssh"), mode(keys)) == (0o700, 0o600)
    assert authorize(run) == []


def test_home_that_others_may_write_is_mended(run: Run, home: Path) -> None:
    """DSM makes it 0777, and its sshd then refuses every key."""
    home.mkdir()
    home.chmod(0o777)
    assert authorize(run)[0] == f"others may no longer write {home}"
    assert mode(home) == 0o755
    assert authorize(run) == []


def test_open_directory_and_file_of_keys_are_mended(run: Run, home: Path) -> None:
    """Each of them is enough for sshd to refuse."""
    (home / ".ssh").mkdir(parents=True)
    keys = home / ".ssh" / "authorized_keys"
    keys.write_text(f"{KEY}\n")
    keys.chmod(0o666)
    (home / ".ssh").chmod(0o777)
    assert len(authorize(run)) == 2
    assert (mode(home / ".ssh"), mode(keys)) == (0o700, 0o600)
    assert authorize(run) == []


def test_missing_home_is_made(run: Run, home: Path) -> None:
    """DSM has none while its user home service is off."""
    assert authorize(run) == [f"{home} was made", f"the key was put into {home}/.ssh/authorized_keys"]
    assert (mode(home), home.stat().st_uid) == (0o755, os.getuid())


def test_link_in_the_place_of_a_home_is_not_followed(run: Run, home: Path, tmp_path: Path) -> None:
    """Root would give away, or close, a directory of somebody else."""
    victim = tmp_path / "victim"
    victim.mkdir()
    victim.chmod(0o777)
    home.symlink_to(victim)
    assert f"{home} is a link, which root does not follow" in refused(run)
    assert mode(victim) == 0o777


@pytest.mark.parametrize("directory", [True, False])
def test_home_that_is_swapped_while_it_is_made_is_not_given_away(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, directory: bool
) -> None:
    """Where others may write the directory above it."""
    victim, make = tmp_path / "victim", os.mkdir
    make(victim)
    (victim / "file").touch()
    victim.chmod(0o700)

    def swapped(path: str, *arguments: object) -> None:
        if path == str(home):
            victim.rename(home) if directory else home.symlink_to(victim)

    with monkeypatch.context() as patch:
        patch.setattr("os.mkdir", swapped)
        assert ("is not what was just made" if directory else "is a link") in refused(run)
    assert mode(home) == 0o700


def test_link_to_a_closed_home_is_left_alone(run: Run, home: Path, tmp_path: Path) -> None:
    """There is nothing to mend."""
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    home.symlink_to(tmp_path / "elsewhere")
    assert authorize(run) == [f"the key was put into {tmp_path}/elsewhere/.ssh/authorized_keys"]


def test_home_that_cannot_be_made_is_told(run: Run, home: Path) -> None:
    """The sentence says where DSM switches it on."""
    home.parent.rmdir()
    assert "has no home directory on the NAS" in refused(run) and "user home service" in refused(run)


def test_unknown_user_is_told(run: Run, home: Path) -> None:
    """It may be mistyped."""
    assert refused(run, "bob") == "The NAS has no user bob: correct ansible_user."


@pytest.mark.parametrize("ending", ["\n", ""])
def test_other_keys_stay(run: Run, home: Path, ending: str) -> None:
    """Whatever stands there, with or without a last line's end, in whatever encoding."""
    (home / ".ssh").mkdir(parents=True)
    keys = home / ".ssh" / "authorized_keys"
    others = f"# mine\n\nssh-rsa AAAAB3 caf\udce9\n# {KEY}".encode(errors="surrogateescape")
    keys.write_bytes(others + ending.encode())
    authorize(run)
    assert keys.read_bytes() == others + b"\n" + KEY.encode() + b"\n"
    assert list((home / ".ssh").iterdir()) == [keys]


def test_key_with_options_is_known(run: Run, home: Path) -> None:
    """Its owner restricted it; it is not put there a second time without them."""
    (home / ".ssh").mkdir(parents=True)
    keys = home / ".ssh" / "authorized_keys"
    keys.write_text(f'from="10.0.0.1" {KEY}\n')
    keys.chmod(0o600)
    assert authorize(run) == []


@pytest.mark.parametrize("there", [True, False])
def test_check_mode_changes_nothing(run: Run, home: Path, there: bool) -> None:
    """And tells that it would."""
    if there:
        home.mkdir()
        home.chmod(0o777)
    assert authorize(run, check_mode=True)
    assert (home.exists(), (home / ".ssh").exists()) == (there, False)
    assert not there or mode(home) == 0o777


def test_file_that_cannot_be_written_is_told(run: Run, home: Path) -> None:
    """A file stands where the directory belongs."""
    home.mkdir()
    (home / ".ssh").write_text("")
    assert "could not be written" in refused(run)
