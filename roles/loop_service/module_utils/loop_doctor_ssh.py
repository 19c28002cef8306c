"""The way to the NAS: its name, port and host key, the login and sudo."""

from __future__ import annotations

import re
import shlex
import socket
from typing import Any

from ansible.module_utils.loop_doctor_told import Told
from ansible.module_utils.loop_finding import FAILED
from ansible.module_utils.loop_finding import OK
from ansible.module_utils.loop_finding import Finding
from ansible.module_utils.loop_finding import Verdict
from ansible.module_utils.loop_finding import failed
from ansible.module_utils.loop_finding import finding
from ansible.module_utils.loop_finding import ok
from ansible.module_utils.loop_finding import unasked
from ansible.module_utils.loop_host_key import host_key
from ansible.module_utils.loop_host_key import output

# Seconds that the NAS may take to say that it is there.
PATIENCE = 5
# The parts of a task's result in which somebody says why not.
SAID = ("msg", "stdout", "stderr", "module_stdout", "module_stderr")
HOST_KEY = r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|Host Key checking is enabled"
# What Ansible, ssh and sudo say, and what it means; the first match counts.
# Said by Ansible before it asks ssh, or by a NAS that let the login in: it counts whether ssh got there or not.
NO_USE = [
    (
        r"'(vault_\w+)' is undefined",
        "not tried: {0} is not set, so give it a value with `loopdeploy vault set {0}`",
    ),
    (
        r"(vault_\w+) is no text",
        "not tried: the value of {0} is no text, so give it anew with `loopdeploy vault set {0}`",
    ),
    (
        r"[Pp]assword (?:has |is )?expired|[Pp]assword change required|(?:must|required to) change your password",
        "the password has expired: log in to DSM, set a new one, and give it to the vault with `loopdeploy vault set"
        " vault_ssh_password`, and vault_sudo_password the same way",
    ),
]
# Said by ssh when it does not get in; of a login that worked, the same words are about a home directory or a shell.
NO_LOGIN = [
    *NO_USE,
    (
        r"[Nn]o such identity: (\S+?):",
        "the SSH key {0} is not on this machine: `loopdeploy bootstrap` makes one and installs it",
    ),
    (
        r'Load key "?(\S+?)"?: bad permissions',
        "the SSH key {0} may be read by others, so ssh does not use it: `chmod 600 {0}`",
    ),
    (
        r"Permission denied|Invalid/incorrect|Too many authentication failures",
        "refused: correct ansible_user in hosts.yml and the password with `loopdeploy vault set vault_ssh_password`, or"
        " where a key logs in, install it again with `loopdeploy bootstrap`; it was tried once, because DSM blocks an"
        " address after a few failures",
    ),
    (
        r"Connection reset|closed by|Broken pipe",
        "the NAS hung up: look whether it blocks this address, in DSM's Control Panel, Security, Protection",
    ),
]
NO_SUDO = [
    (
        r"not in the sudoers file|may not run sudo|not allowed to execute",
        "not allowed: put the login into the group administrators, in DSM's Control Panel, User & Group",
    ),
    (
        r"Incorrect sudo password|incorrect password attempt|Sorry, try again",
        "refused the password: correct it with `loopdeploy vault set vault_sudo_password`",
    ),
    (
        r"Missing sudo password|no password was provided",
        "wants a password: give it to the vault with `loopdeploy vault set vault_sudo_password`",
    ),
]
NO_ARGUMENTS = (
    "the arguments of ssh cannot be told apart: in the inventory, close the quote in ansible_ssh_common_args or"
    " ansible_ssh_extra_args"
)


def ssh_findings(ssh: dict[str, Any], answer: dict[str, Any]) -> list[Finding]:
    """Return the lines from the name to sudo; ``answer`` is what became of the one task that logged in."""
    said = " ".join(str(answer.get(part) or "") for part in SAID)
    told = Told(answer.get("stdout") or "")
    refusals = "|".join([HOST_KEY, *(pattern for pattern, _ in NO_USE)])
    logged_in = told.began or not (answer.get("unreachable") or re.search(refusals, said))
    try:
        route = resolved(ssh)
    except ValueError:  # Ansible cannot take them apart, either
        name, logged_in = failed(NO_ARGUMENTS), told.began
        port = key = unasked("it is not known how ssh gets there")
    else:
        name, port, key = _way(route, logged_in)
    if re.search(HOST_KEY, said) and not logged_in and FAILED not in (name[0], port[0], key[0]):
        key = failed("ssh refuses it: compare its fingerprint on the NAS, then pin it with `loopdeploy init --pin`")
    if logged_in:
        login = ok(f"as {ssh['user']}")
    elif FAILED in (name[0], port[0], key[0]):
        login = unasked("see above")
    else:
        login = failed(_meaning(NO_LOGIN, said))
    if told.whole:
        sudo = ok("gives root")
    elif told.began:
        sudo = failed("the answer broke off in the middle: ask again")
    else:
        sudo = failed(_meaning(NO_SUDO, said)) if logged_in else unasked("there was no login")
    verdicts = {"name": name, "port": port, "host key": key, "login": login, "sudo": sudo}
    return [finding(subject, verdict) for subject, verdict in verdicts.items()]


def resolved(ssh: dict[str, Any]) -> dict[str, str]:
    """Return what ssh makes of host and port with the operator's own configuration, by the names of ssh_config(5).

    Raises ValueError when the inventory's arguments of ssh cannot be taken apart.
    """
    # A port that the inventory does not name is the configuration's to name, as it is for Ansible.
    port = ["-p", str(ssh["port"])] if ssh["port"] else []
    asked = ["ssh", "-G", *port, "-l", ssh["user"], *shlex.split(ssh["args"]), ssh["host"]]
    lines = [line.partition(" ") for line in output(asked).splitlines()]
    return {"hostname": ssh["host"], "port": str(ssh["port"] or 22), **{key: value for key, _, value in lines}}


def _way(route: dict[str, str], logged_in: bool) -> tuple[Verdict, Verdict, Verdict]:
    for through in ("proxyjump", "proxycommand"):
        if through in route:
            passed = unasked(f"ssh goes through {route[through]}")
            return passed, passed, passed
    host, port = route["hostname"], int(route["port"])
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
    except (OSError, UnicodeError):  # UnicodeError: a name that cannot be one
        name = failed(f"{host} is unknown: correct ansible_host in the inventory")
        return name, unasked("the name is unknown"), unasked("the name is unknown")
    name = ok(f"{host} is {address}" if address != host else f"{host} is an address")
    answers = check_port(host, port)
    return name, answers, host_key(route, logged_in) if answers[0] == OK else unasked("SSH does not answer")


def check_port(host: str, port: int) -> Verdict:
    """Return whether an SSH server says its name there, RFC 4253 section 4.2."""
    check = (
        "check ansible_host and ansible_port, that the NAS is on, and that SSH is enabled in DSM's Control Panel,"
        " Terminal & SNMP"
    )
    try:
        with socket.create_connection((host, port), PATIENCE) as connection:
            banner = connection.recv(255)
    except OSError as error:
        return failed(f"{port} does not answer ({error.strerror or error}): {check}")
    if not banner.startswith(b"SSH-"):
        return failed(f"{port} is open and not of an SSH server: correct ansible_port in the inventory")
    return ok(f"{port}, {banner.decode(errors='replace').strip()}")


def _meaning(meanings: list[tuple[str, str]], said: str) -> str:
    """Return what ``said`` means, and itself, in one line, when that is not known."""
    for pattern, meaning in meanings:
        found = re.search(pattern, said)
        if found:
            return meaning.format(*found.groups())
    return f"no: {' '.join(said.split())[:300] or 'nothing was said'}; see more with -vvv"
