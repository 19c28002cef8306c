"""The way to the NAS, judged by what ssh said, against real sockets and the real OpenSSH client."""

from __future__ import annotations

import base64
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import loop_host_key
from ansible.module_utils.loop_doctor_ssh import check_port
from ansible.module_utils.loop_doctor_ssh import resolved
from ansible.module_utils.loop_doctor_ssh import ssh_findings
from ansible.module_utils.loop_finding import finding
from ansible.module_utils.loop_host_key import fingerprint
from ansible.module_utils.loop_host_key import host_key
from ansible.module_utils.loop_host_key import pinned_name

# vault.yml is encrypted, so that nobody can write into it.
VAULT_SET = "`loopdeploy vault set"
NO_HOME = "Could not chdir to home directory /var/services/homes/ann: Permission denied"
ROOT = "user 0\ntime 1800000000\n"
KEY, OTHER = (base64.b64encode(name).decode() for name in (b"the NAS's", b"another"))


def serve(banner: bytes) -> Iterator[int]:
    """Run a server on 127.0.0.1 that says ``banner``."""

    def answer() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:  # closed
                return
            with client:
                client.sendall(banner)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.fixture
def sshd() -> Iterator[int]:
    """Return the port of what begins like an SSH server."""
    yield from serve(b"SSH-2.0-OpenSSH_8.2\r\n")


@pytest.fixture
def web() -> Iterator[int]:
    """Return the port of another server."""
    yield from serve(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.fixture(autouse=True)
def shown(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Let the NAS show a key, as ssh-keyscan would tell it; what ssh-keygen tells is real."""
    keys, really = {"ssh-ed25519": {KEY}}, loop_host_key._keys
    monkeypatch.setattr(
        loop_host_key, "_keys", lambda command: keys if command[0] == "ssh-keyscan" else really(command)
    )
    return keys


@pytest.fixture
def known_hosts(tmp_path: Path) -> Path:
    """Return where keys are pinned."""
    return tmp_path / "known_hosts"


def route(known_hosts: Path, port: int = 2222) -> dict[str, str]:
    """Return what ssh makes of the NAS's address."""
    ssh = {"host": "127.0.0.1", "port": port, "user": "ann", "args": f"-F none -o UserKnownHostsFile={known_hosts}"}
    found: dict[str, str] = resolved({**ssh, "args": f"{ssh['args']} -o GlobalKnownHostsFile=/nowhere"})
    return found


def findings(port: int, known_hosts: Path, host: str = "127.0.0.1", **answer: object) -> dict[str, tuple[str, str]]:
    """Return of each subject its state and sentence."""
    known_hosts.write_text(f"[127.0.0.1]:{port} ssh-ed25519 {KEY}\n")
    args = f"-F none -o UserKnownHostsFile={known_hosts}"
    ssh: dict[str, Any] = {"host": host, "port": port, "user": "ann", "args": args}
    return {line["subject"]: (line["state"], line["text"]) for line in ssh_findings(ssh, answer)}


def states(lines: dict[str, tuple[str, str]]) -> list[str]:
    """Return the states alone, from the name to sudo."""
    return [state for state, _ in lines.values()]


def test_whole_way_is_ok(sshd: int, known_hosts: Path) -> None:
    """From the name to sudo."""
    lines = findings(sshd, known_hosts, stdout=ROOT)
    assert states(lines) == ["ok"] * 5
    assert lines["host key"][1] == f"ssh-ed25519 {fingerprint(KEY)}, as pinned"


def test_unknown_name_is_the_only_fault(known_hosts: Path) -> None:
    """What comes after it is not asked."""
    lines = findings(22, known_hosts, host="no..name", unreachable=True, msg="Could not resolve hostname")
    assert states(lines) == ["failed", "not asked", "not asked", "not asked", "not asked"]
    assert "correct ansible_host" in lines["name"][1]


def test_closed_port_is_the_only_fault(known_hosts: Path) -> None:
    """Or a NAS that is off."""
    lines = findings(9, known_hosts, unreachable=True, msg="Connection refused")
    assert states(lines) == ["ok", "failed", "not asked", "not asked", "not asked"]
    assert "Terminal & SNMP" in lines["port"][1]


def test_port_of_another_server_is_told(web: int) -> None:
    """5000 is DSM's web page."""
    assert check_port("127.0.0.1", web) == (
        "failed",
        f"{web} is open and not of an SSH server: correct ansible_port in the inventory",
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"unreachable": True, "msg": "ann@nas: Permission denied (publickey,password)."}, "tried once"),
        ({"unreachable": True, "msg": "Invalid/incorrect username/password."}, "correct ansible_user"),
        ({"unreachable": True, "msg": "kex_exchange_identification: Connection reset by peer"}, "blocks this address"),
        ({"rc": 1, "stdout": "WARNING: Your password has expired.\r\n"}, f"{VAULT_SET} vault_ssh_password`"),
        ({"rc": 1, "stdout": "Password change required but no TTY available.\r\n"}, f"{VAULT_SET} vault_ssh_password`"),
        ({"rc": 1, "msg": "Password expired. Change your password now."}, f"{VAULT_SET} vault_ssh_password`"),
        (
            {"rc": 1, "module_stderr": "sudo: Account or password is expired, reset your password"},
            f"{VAULT_SET} vault_ssh_password`",
        ),
        ({"rc": 1, "stderr": "WARNING: You must change your password now."}, f"{VAULT_SET} vault_ssh_password`"),
        ({"msg": "Task failed: vault_ssh_password is no text"}, f"{VAULT_SET} vault_ssh_password`"),
        ({"msg": "Task failed: 'vault_ssh_password' is undefined"}, "not tried: vault_ssh_password is not set"),
        (
            {"unreachable": True, "msg": "no such identity: /k: No such file or directory\r\na@b: Permission denied"},
            "the SSH key /k is not on this machine: `loopdeploy bootstrap`",
        ),
        (
            {"unreachable": True, "msg": 'Load key "/k": bad permissions\r\na@b: Permission denied (publickey).'},
            "`chmod 600 /k`",
        ),
        ({"unreachable": True, "msg": "what nobody\n foresaw"}, "what nobody foresaw"),
        ({"unreachable": True}, "nothing was said"),
    ],
)
def test_refused_login_says_why(sshd: int, known_hosts: Path, answer: dict[str, Any], words: str) -> None:
    """All before it is ok, all behind it not asked."""
    lines = findings(sshd, known_hosts, **answer)
    assert states(lines) == ["ok", "ok", "ok", "failed", "not asked"]
    assert words in lines["login"][1]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"msg": "Task failed: Incorrect sudo password"}, f"{VAULT_SET} vault_sudo_password`"),
        ({"msg": "Task failed: Missing sudo password"}, f"{VAULT_SET} vault_sudo_password`"),
        ({"rc": 1, "stdout": "ann is not in the sudoers file.  This incident will be reported."}, "administrators"),
        ({"rc": 0, "stdout": "user 1026\ntime 1800000000\n"}, "user 1026"),
        ({"rc": 0, "stdout": "user 0\ndsm 7.2\n"}, "broke off"),
        # What is denied to a login that worked is no login.
        ({"rc": 1, "stdout": f"{NO_HOME}\r\nann is not in the sudoers file.\r\n"}, "administrators"),
        ({"msg": "Task failed: Incorrect sudo password", "stdout": NO_HOME}, f"{VAULT_SET} vault_sudo_password`"),
        ({"rc": 1, "stdout": "sudo: unable to execute /bin/sh: Permission denied"}, "no: sudo: unable to execute"),
        ({"rc": 1, "stderr": "no such identity: /k: No such file\r\nSorry, try again."}, "vault_sudo_password`"),
    ],
)
def test_refused_sudo_says_why(sshd: int, known_hosts: Path, answer: dict[str, Any], words: str) -> None:
    """The login was none of the trouble."""
    lines = findings(sshd, known_hosts, **answer)
    assert states(lines) == ["ok", "ok", "ok", "ok", "failed"]
    assert words in lines["sudo"][1]


@pytest.mark.parametrize(
    ("unreachable", "msg"),
    [
        (True, "Host key verification failed."),
        # What Ansible says when it has a password to give.
        (False, "Using a SSH password instead of a key is not possible because Host Key checking is enabled."),
    ],
)
def test_refused_host_key_is_no_refused_login(sshd: int, known_hosts: Path, unreachable: bool, msg: str) -> None:
    """Nothing was tried with a password."""
    lines = findings(sshd, known_hosts, unreachable=unreachable, msg=msg)
    assert states(lines) == ["ok", "ok", "failed", "not asked", "not asked"]


def test_host_key_that_only_ssh_saw_is_told(sshd: int, known_hosts: Path, shown: dict[str, set[str]]) -> None:
    """Without ssh-keyscan its word counts."""
    shown.clear()
    lines = findings(sshd, known_hosts, unreachable=True, msg="Host key verification failed.")
    assert (lines["host key"][0], lines["login"][0]) == ("failed", "not asked")


def test_jump_host_is_not_judged(known_hosts: Path) -> None:
    """What is behind it cannot be seen from here; the login tells enough."""
    args = "-F none -o ProxyJump=jump.example"
    lines = ssh_findings({"host": "nas", "port": 22, "user": "ann", "args": args}, {"stdout": ROOT})
    assert [line["state"] for line in lines] == ["not asked", "not asked", "not asked", "ok", "ok"]


def test_pinned_key_that_is_shown_is_ok(known_hosts: Path) -> None:
    """Also where names are hashed, and beside other hosts'."""
    known_hosts.write_text(f"other ssh-ed25519 {OTHER}\n[127.0.0.1]:2222 ssh-ed25519 {KEY}\n")
    assert host_key(route(known_hosts), logged_in=True)[0] == "ok"


def test_changed_key_shows_both(known_hosts: Path) -> None:
    """So that they can be compared with the NAS's own."""
    known_hosts.write_text(f"[127.0.0.1]:2222 ssh-ed25519 {OTHER}\n")
    state, text = host_key(route(known_hosts), logged_in=False)
    assert state == "failed"
    assert f"shows ssh-ed25519 {fingerprint(KEY)} and ssh-ed25519 {fingerprint(OTHER)} is pinned" in text
    assert f"`ssh-keygen -R [127.0.0.1]:2222 -f '{known_hosts}'` and pin it anew with `loopdeploy init --pin`" in text


def test_changed_key_of_the_inventory_is_only_pinned_anew(tmp_path: Path) -> None:
    """That writes the file anew; ssh-keygen would leave a copy of it in the directory."""
    own = tmp_path / "known_hosts.txt"
    own.write_text(f"[127.0.0.1]:2222 ssh-ed25519 {OTHER}\n")
    text = host_key(route(own), logged_in=False)[1]
    assert "that has changed too, pin it anew with `loopdeploy init --pin`" in text
    assert "ssh-keygen" not in text


@pytest.mark.parametrize(("logged_in", "state"), [(False, "failed"), (True, "warning")])
def test_key_that_is_not_pinned_is_told(known_hosts: Path, logged_in: bool, state: str) -> None:
    """A login in spite of it means that ssh does not look."""
    found, text = host_key(route(known_hosts), logged_in)
    assert (found, "`loopdeploy init --pin`" in text) == (state, not logged_in)


def test_known_hosts_in_a_directory_with_a_blank_is_read(tmp_path: Path) -> None:
    """`ssh -G` tells its path without the quotes."""
    (tmp_path / "a directory").mkdir()
    file = tmp_path / "a directory" / "known_hosts.txt"
    file.write_text(f"[127.0.0.1]:2222 ssh-ed25519 {KEY}\n")
    args = f"-F none -o GlobalKnownHostsFile=/dev/null -o UserKnownHostsFile='\"{file}\"'"
    found = resolved({"host": "127.0.0.1", "port": 2222, "user": "ann", "args": args})
    assert host_key(found, logged_in=True)[0] == "ok"


def test_paths_and_comments_that_are_no_utf_8_are_read(tmp_path: Path, shown: dict[str, set[str]]) -> None:
    """Both may be older than UTF-8, and are found by their bytes; the table can be printed all the same."""
    file = os.fsencode(tmp_path) + b"/schl\xfcssel"
    Path(os.fsdecode(file)).write_bytes(f"127.0.0.1 ssh-ed25519 {KEY} f\xfcr\n".encode("latin-1"))
    (tmp_path / "config").write_bytes(b"UserKnownHostsFile " + file + b"\nGlobalKnownHostsFile /dev/null\n")
    found = resolved({"host": "127.0.0.1", "port": 22, "user": "ann", "args": f"-F {tmp_path}/config"})
    assert host_key(found, logged_in=True)[0] == "ok"
    shown["ssh-ed25519"] = {OTHER}
    text = finding("host key", host_key(found, logged_in=True))["text"]
    assert f"-f '{tmp_path}/schl?ssel'" in text


def test_nas_that_shows_no_key_is_not_judged(known_hosts: Path, shown: dict[str, set[str]]) -> None:
    """A machine may not have ssh-keyscan."""
    shown.clear()
    assert host_key(route(known_hosts), logged_in=True)[0] == "not asked"


@pytest.mark.parametrize(
    ("route", "name"),
    [
        ({"hostname": "nas", "port": "22"}, "nas"),
        ({"hostname": "nas", "port": "2222"}, "[nas]:2222"),
        ({"hostname": "10.0.0.2", "port": "2222", "hostkeyalias": "nas"}, "nas"),
    ],
)
def test_key_is_looked_up_as_ssh_does(route: dict[str, str], name: str) -> None:
    """See ssh_config(5)."""
    assert pinned_name(route) == name


def test_operator_s_own_configuration_counts(tmp_path: Path) -> None:
    """A short name, and its port, may stand there."""
    (tmp_path / "config").write_text("Host nas\n  HostName 127.0.0.9\n")
    found = resolved({"host": "nas", "port": 22, "user": "ann", "args": f"-F {tmp_path}/config"})
    assert (found["hostname"], found["port"]) == ("127.0.0.9", "22")


@pytest.mark.parametrize(("asked", "port"), [(None, "2222"), (2022, "2022")])
def test_port_of_the_configuration_counts_where_the_inventory_has_none(
    tmp_path: Path, asked: int | None, port: str
) -> None:
    """As it does for Ansible."""
    (tmp_path / "config").write_text("Host nas\n  Port 2222\n")
    assert resolved({"host": "nas", "port": asked, "user": "ann", "args": f"-F {tmp_path}/config"})["port"] == port


@pytest.mark.parametrize("answer", [{"msg": "No closing quotation"}, {"unreachable": True}, {"stdout": ROOT}])
def test_arguments_with_an_open_quote_are_a_line(answer: dict[str, Any]) -> None:
    """Ansible cannot use them, either; no reason to lose the table."""
    lines = ssh_findings({"host": "nas", "port": 22, "user": "ann", "args": "-o 'ProxyJump=jump"}, answer)
    behind = ["ok", "ok"] if "stdout" in answer else ["not asked", "not asked"]
    assert [line["state"] for line in lines] == ["failed", "not asked", "not asked", *behind]
    assert "close the quote in ansible_ssh_common_args" in lines[0]["text"]


def test_without_ssh_the_inventory_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ansible will say that it needs it."""
    monkeypatch.setenv("PATH", "/nowhere")
    found = resolved({"host": "nas", "port": None, "user": "ann", "args": ""})
    assert found == {"hostname": "nas", "port": "22"}
