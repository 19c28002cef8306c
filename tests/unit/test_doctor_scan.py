"""Passwords in notes and histories: found, and not shown."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from ansible.module_utils.loop_doctor_scan import LONGEST
from ansible.module_utils.loop_doctor_scan import scan

SECRET = "hunter2"


@pytest.mark.parametrize(
    "line",
    [
        f"sshpass -p {SECRET} ssh ann@nas",
        f"sshpass -p{SECRET} ssh ann@nas",
        f": 1700000000:0;sshpass -v -p '{SECRET}' ssh ann@nas",
        f'x=1 /usr/bin/sshpass  -p  "{SECRET}" scp a b',
        f"sshpass \\\n  -p '{SECRET}' \\\n  ssh ann@nas",
        f"sshpass \\\r\n -p {SECRET} ssh ann@nas",
        f"sshpass -P assphrase -p {SECRET} ssh ann@nas",
        f"sshpass -vP assphrase '-p' {SECRET} ssh ann@nas",
        f"sshpass -vp{SECRET} ssh ann@nas",
        f"sshpass -p '${SECRET}' ssh ann@nas",
        f"sshpass -p $'{SECRET}' ssh ann@nas",
        f"sshpass -p \\${SECRET} ssh ann@nas",
        f"sshpass -p\\`{SECRET} ssh ann@nas",
        f"ssh jump 'sshpass -p \\${SECRET} ssh ann@nas'",
        f"ssh jump 'sshpass -p {SECRET} ssh ann@nas'",
        f"Use `sshpass -p {SECRET} ssh ann@nas`, it's quick.",
        f'{{"cmd": "sshpass -p {SECRET} ssh ann@nas"}}',
        f"sshpass -p\u00a0{SECRET} ssh ann@nas",
        f"ssh ann@nas 'echo {SECRET} | sudo -S docker stop loop-api'",
        f"ssh ann@nas \"echo '{SECRET}' | /usr/bin/sudo -k -S -p '' docker ps\"",
        f"echo {SECRET} | sudo -u root -S id",
        f"echo {SECRET} | sudo --user root --prompt= -kS id",
        f"echo 'se|{SECRET}' | sudo -S id",
        f'echo -n "se;{SECRET}" |& sudo -S id',
        f"echo {SECRET} | tr -d x | sudo -S id",
        f"echo {SECRET} | ssh ann@nas 'cd /; sudo -S id'",
        f"echo {SECRET} 2>&1 \\\n | sudo -S id",
        f"(echo {SECRET}; cat) | sudo -S tee file",
        f"( echo '{SECRET})' && cat ) 2>&1 | sudo -S id",
        f"{{ echo {SECRET}; }} | sudo -S id",
        f"{{ echo {SECRET} | tr -d x; (date); cat <<<$(id); }} | sudo -S id",
        f"ssh ann@nas '(echo {SECRET}; cat) | sudo -S id'",
        f"(printf '%s\\n' {SECRET} \\\n; cat file) | ssh ann@nas sudo -S tee file",
        f"printf {SECRET} | sudo --stdin id",
        f"printf '%s\\n' {SECRET} | sudo -S id",
        f"printf '{SECRET}\\n' | sudo -S id",
        f"sudo -S id <<< {SECRET}",
        f"sudo -p '' -S id 2>&1 <<<'{SECRET}'",
        f"SSHPASS={SECRET} sshpass -e ssh ann@nas",
        f"export SSHPASS='{SECRET}'",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be"])
def test_planted_password_is_found_and_not_shown(tmp_path: Path, line: str, encoding: str) -> None:
    """File and line are enough to find it; PowerShell writes UTF-16."""
    notes = tmp_path / "notes.md"
    notes.write_bytes(f"# Notes \ufeff\n\n{line}\nls\n".encode(encoding))
    (found,) = scan([str(notes)])
    assert found["state"] == "failed"
    assert found["text"].startswith(f"{notes}:3 shows the password of `")
    assert SECRET not in str(found)


def test_bytes_that_are_no_text_hide_nothing(tmp_path: Path) -> None:
    """A history has in it whatever was typed."""
    notes = tmp_path / "notes.md"
    notes.write_bytes(b"\xff\xfe\xc3\n\xff sshpass -p \xe9t\xe9 ssh nas\n")
    (found,) = scan([str(notes)])
    assert found["text"].startswith(f"{notes}:2 shows the password of `sshpass -p`")


@pytest.mark.parametrize(
    "line",
    [
        "sshpass -f file ssh nas",
        "sshpass -e ssh -p 22 nas",
        "sshpass -emypass ssh nas",
        "sshpass -P assphrase ssh -p 22 nas",
        "sshpass ssh -p 22 nas",
        "sshpass -p '' ssh nas",
        'sshpass -p "$NAS_PW" ssh nas',
        "sshpass -p$NAS_PW ssh nas",
        'sshpass -p "$(pass show nas)" ssh nas',
        "sshpass -p `pass show nas` ssh nas",
        "Of `sshpass -p` and `echo` I know nothing.",
        "man sshpass",
        "ssh -p 22 nas",
        "sudo -S id",
        "sudo -u root id <<< x",
        'sudo -S id <<< "$PW"',
        "sudo -S id < file",
        "echo a | grep S",
        "echo a | sudo -u Someone tee -S",
        "echo a | sudo -p -S id",
        "echo a || sudo -S id",
        "echo a; sudo -S id",
        "echo a; (cat file) | sudo -S id",
        "(echo a; cat file | tr x y) && sudo -S id",
        "(echo a; cat file | sudo -S id)",
        "(echo a); cat file | sudo -S id",
        "{ echo a >&2; cat file; } | sudo -S id",
        "(echo 'a b'>>log; cat file) | sudo -S id",
        "{ cat file; echo yes; } | sudo -S id",
        '(echo "$PW"; cat) | sudo -S id',
        "{ echo $(pass show nas); cat; } | sudo -S id",
        'echo "$PW" | sudo -S id',
        "echo $(pass show nas) | sudo -S id",
        'echo "$(pass show "my nas")" | sudo -S id',
        "ssh nas \"echo '$PW' | sudo -S id\"",
        'ssh nas "echo \\$PW | sudo -S id"',
        'ssh nas "echo \\"\\$PW\\" | sudo -S id"',
        'ssh nas "sshpass -p \\$PW ssh ann@other"',
        "ssh nas 'echo '\"$PW\"' | sudo -S id'",
        "ssh jump sshpass -p \\$PW ssh ann@nas",
        "cd x; ssh -p 22 nas SSHPASS=\\$PW sshpass -e ssh ann@other",
        "printf '%s\\n' \"$PW\" | sudo -S id",
        "echo | sudo -S id",
        'SSHPASS="$PW" sshpass -e ssh nas',
        "SSHPASS= sshpass -e ssh nas",
        "read -rs SSHPASS",
    ],
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


def test_line_of_a_long_command_is_told(tmp_path: Path) -> None:
    """The one that has the password's command, behind a joined one, too."""
    notes = tmp_path / "history"
    notes.write_text(f"ls \\\n  -l \\\n; sshpass \\\n -p {SECRET} a\nls \\\n\nsshpass -p {SECRET} c \\")
    assert [line["text"].split()[0] for line in scan([str(notes)])] == [f"{notes}:3", f"{notes}:7"]


def test_line_that_is_too_long_is_told_as_not_read(tmp_path: Path) -> None:
    """The others are read; no length of theirs is too much."""
    notes = tmp_path / "history"
    long = "x" * LONGEST
    joined = "".join(f"{'x' * 1000} \\\n" for _ in range(200))
    notes.write_text(f"ls \\\n{long}\nsshpass -p {SECRET} a\n{long[1:]}\n{joined}sshpass -p {SECRET} b\n{long * 3}")
    lines = [(line["state"], line["text"].split()[0]) for line in scan([str(notes)])]
    assert lines == [
        ("not asked", f"{notes}:2"),
        ("failed", f"{notes}:3"),
        ("failed", f"{notes}:205"),
        ("not asked", f"{notes}:206"),
    ]


@pytest.mark.parametrize(
    "part",
    [
        "sshpass ",
        "echo ",
        "echo 'x ",
        'echo "$(',
        "sudo -S | ",
        "sudo -u ",
        "SSHPASS=$",
        "SSHPASS=$'",
        "echo sudo|",
        "(echo a;",
        "{ echo sudo; ",
        "(echo sudo; \"'",
        "' \"\\",
    ],
)
def test_no_line_takes_long(tmp_path: Path, part: str) -> None:
    """Whatever is repeated in it; this would be minutes where it takes the square of the time."""
    notes = tmp_path / "history"
    notes.write_text((part * LONGEST)[: LONGEST - 16] + "| sudo -S id\n")
    began = time.process_time()
    scan([str(notes)])
    assert time.process_time() - began < 5


def test_file_that_cannot_be_read_is_a_line(tmp_path: Path) -> None:
    """No reason to lose the table."""
    (found,) = scan([str(tmp_path / "none")])
    assert (found["state"], "cannot be read (No such file" in found["text"]) == ("warning", True)


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    """A device without an end, a pipe that nobody writes into, a directory."""
    os.mkfifo(tmp_path / "pipe")
    for file in ("/dev/zero", str(tmp_path / "pipe"), str(tmp_path)):
        (found,) = scan([file])
        assert (found["state"], f"{file} is no regular file: name another" in found["text"]) == ("not asked", True)


def test_without_files_nothing_is_looked_at() -> None:
    """Nobody's history is read unasked."""
    (found,) = scan([])
    assert (found["state"], "--scan" in found["text"]) == ("not asked", True)
