"""Passwords in notes and histories: found, and not shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.module_utils.loop_doctor_scan import scan

SECRET = "hunter2"


@pytest.mark.parametrize(
    "line",
    [
        f"sshpass -p {SECRET} ssh ann@nas",
        f"sshpass -p{SECRET} ssh ann@nas",
        f": 1700000000:0;sshpass -v -p '{SECRET}' ssh ann@nas",
        f'x=1 /usr/bin/sshpass  -p  "{SECRET}" scp a b',
        f"ssh ann@nas 'echo {SECRET} | sudo -S docker stop loop-api'",
        f"ssh ann@nas \"echo '{SECRET}' | /usr/bin/sudo -k -S -p '' docker ps\"",
        f"printf {SECRET} | sudo --stdin id",
    ],
)
def test_planted_password_is_found_and_not_shown(tmp_path: Path, line: str) -> None:
    """File and line are enough to find it."""
    notes = tmp_path / "notes.md"
    notes.write_bytes(b"# Notes\n\xff\xfe\n" + line.encode() + b"\nls\n")
    (found,) = scan([str(notes)])
    assert found["state"] == "failed"
    assert found["text"].startswith(f"{notes}:3 shows the password of `")
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    "line",
    ["sshpass -f file ssh nas", "sshpass -e ssh nas", "man sshpass", "ssh -p 22 nas", "sudo -S id", "echo a | grep S"],
)
def test_harmless_line_is_not_found(tmp_path: Path, line: str) -> None:
    """A false alarm would teach to ignore it."""
    notes = tmp_path / "notes.md"
    notes.write_text(line)
    (found,) = scan([str(notes)])
    assert found["state"] == "ok"


def test_each_line_is_told(tmp_path: Path) -> None:
    """All of them are to be deleted."""
    notes = tmp_path / "history"
    notes.write_text(f"sshpass -p {SECRET} a; echo {SECRET} | sudo -S b\nls\nsshpass -p {SECRET} c\n")
    assert [line["text"].split()[0] for line in scan([str(notes)])] == [f"{notes}:1", f"{notes}:3"]


def test_file_that_cannot_be_read_is_a_line(tmp_path: Path) -> None:
    """No reason to lose the table."""
    (found,) = scan([str(tmp_path)])
    assert (found["state"], "cannot be read" in found["text"]) == ("warning", True)


def test_without_files_nothing_is_looked_at() -> None:
    """Nobody's history is read unasked."""
    (found,) = scan([])
    assert (found["state"], "--scan" in found["text"]) == ("not asked", True)
