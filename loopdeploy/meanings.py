"""What Ansible, ssh and sudo say, and what it means to the operator. In each list the first match counts.

In a sentence, {0} is what the pattern's first group found, and {core} the version of the installed ansible-core.
"""

from __future__ import annotations

from loopdeploy.errors import LockedError
from loopdeploy.errors import LoopdeployError
from loopdeploy.errors import SetupError
from loopdeploy.errors import UnreachableError

COMPARE = "compare its fingerprint on the NAS, then pin it with `loopdeploy init --pin`."
HOST_KEY = f"the host key is not the pinned one: {COMPARE}"
EXPIRED = (
    r"[Pp]assword has expired|[Pp]assword change required|must change your password",
    UnreachableError,
    "the password has expired: log in with ssh, change it, then give it to the vault with `loopdeploy vault set"
    " vault_ssh_password`, and vault_sudo_password the same way.",
)

Meanings = list[tuple[str, type[LoopdeployError], str]]

# Of a NAS that could not be logged in to; a task's own "Connection refused" means something else.
LOGIN_MEANINGS: Meanings = [
    (
        r"No \S+ host key is known for",
        UnreachableError,
        f"the host key is not pinned: {COMPARE}",
    ),
    (
        r"Failed to create temporary directory|No space left on device",
        LoopdeployError,
        "the NAS cannot write to its temporary directory: free space on its disk, or correct ansible_remote_tmp.",
    ),
    (
        r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED",
        UnreachableError,
        HOST_KEY,
    ),
    EXPIRED,
    (
        r"[Nn]o such identity: (\S+?):",
        UnreachableError,
        "the SSH key {0} is not on this machine: make one and install it with `loopdeploy bootstrap`.",
    ),
    (
        r'Load key "?(\S+?)"?: bad permissions',
        UnreachableError,
        "the SSH key {0} may be read by others, so ssh does not use it: make it yours alone with `chmod 600 {0}`.",
    ),
    (
        r"Permission denied|Invalid/incorrect|Too many authentication failures",
        UnreachableError,
        "the login was refused: correct ansible_user in hosts.yml and the password with `loopdeploy vault set"
        " vault_ssh_password`, or where a key logs in, install it again with `loopdeploy bootstrap`; it was tried once,"
        " because DSM blocks an address after a few failures.",
    ),
    (
        r"Could not resolve hostname (\S+?):",
        UnreachableError,
        "the host name {0} is unknown: correct ansible_host in the inventory.",
    ),
    (
        r"Connection refused|No route to host|is unreachable|[Tt]imed out|Connection reset|closed by|Broken pipe",
        UnreachableError,
        "the NAS does not answer: check ansible_host and ansible_port, that it is on, and that SSH is enabled in DSM's"
        " Control Panel, Terminal & SNMP.",
    ),
]

MEANINGS: Meanings = [
    (r"(The NAS is locked by .*)", LockedError, "{0}"),
    (r"(The state directory .+? is not root's alone .*? makes a new one\.)", LoopdeployError, "{0}"),
    (
        # What dash and bash say in begin.sh and end.sh.
        r"(?:begin\.sh|end\.sh|environment): .*printf: .*(?:I/O error|No space left on device)",
        LoopdeployError,
        "the NAS's disk is full, so the history could not be written: free space on the NAS; `loopdeploy status` shows"
        " what runs.",
    ),
    (
        r"Unable to access the file '\S*lab/ports\.json'",
        SetupError,
        "the practice NAS is not up: bring it up with `loopdeploy lab up`.",
    ),
    (
        r"Incorrect sudo password|Missing sudo password|no password was provided|incorrect password attempt",
        UnreachableError,
        "sudo refused the password: correct vault_sudo_password with `loopdeploy vault set vault_sudo_password`.",
    ),
    (
        r"(\S+) is not in the sudoers file|user (\S+) (?:is not allowed to|may not)",
        UnreachableError,
        "{0} may not use sudo: make it a member of DSM's group administrators, or correct ansible_user.",
    ),
    EXPIRED,
    (
        r"waiting for privilege escalation prompt|waiting for become success",
        UnreachableError,
        "sudo does not answer: try `sudo true` on the NAS, and correct what it says there.",
    ),
    (
        # With a password in the inventory, Ansible says this of any host key that is not the pinned one.
        r"not possible because Host Key checking is enabled",
        UnreachableError,
        HOST_KEY,
    ),
    (
        r"interpreter '?(\S+?)'? was not found|(/\S*python[\d.]*): (?:command )?not found",
        LoopdeployError,
        "there is no Python at {0}: install Python from DSM's Package Center, or set ansible_python_interpreter.",
    ),
    (
        r"(/\S*/docker): (?:not found|No such file or directory)",
        LoopdeployError,
        "there is no Docker command at {0}: install Container Manager, or set loop_docker in the inventory.",
    ),
    (
        r"Cannot connect to the Docker daemon at (\S+?)\.? Is",
        LoopdeployError,
        "the Docker engine does not answer at {0}: start Container Manager in DSM's Package Center.",
    ),
    (
        # Both what Ansible's wrapper says of a module and what its modules' own library says.
        r"(?:Ansible requires Python|requires a minimum of Python version) (\d+\.\d+).*?Current version: ([\d.]*\d)",
        SetupError,
        "the NAS has Python {1}, and the installed ansible-core {core} needs {0} or newer: install ansible 12"
        " beside loopdeploy, or a newer Python from DSM's Package Center and set ansible_python_interpreter.",
    ),
    (
        r'invalid value for "since".*"(.*?)"',
        SetupError,
        "{0!r} is no time: give --since 10m, 2h, or a timestamp such as 2026-11-22T13:00:00.",
    ),
    (
        r"deserialization failed.*SyntaxError",
        LoopdeployError,
        "the NAS's Python is older than 3.8: install a newer one from DSM's Package Center and set"
        " ansible_python_interpreter.",
    ),
    (
        r"'(vault_\w+)' is undefined",
        SetupError,
        "{0} is not set: make an inventory with `loopdeploy init`, or where there is one already, run"
        " `loopdeploy vault set {0}`.",
    ),
    (
        r"(vault_\w+) is no text",
        SetupError,
        "the value of {0} is no text: put it in quotes with `loopdeploy vault edit`, or give it anew with `loopdeploy"
        " vault set {0}`.",
    ),
    (
        # It goes on with the value.
        r"Config '\w+' for .+? from 'var: (\w+)' has an invalid value",
        SetupError,
        "the value of {0} is no text: put it in quotes, in the vault with `loopdeploy vault edit`.",
    ),
    (
        r"Completely failed to parse inventory source (\S+)",
        SetupError,
        "the inventory {0} cannot be read: mend its YAML.",
    ),
    (
        r"Could not match supplied host pattern, ignoring: (\S+)",
        SetupError,
        "the inventory has no host or group {0}: correct --limit, or put the NAS into the group loop.",
    ),
    (
        r"no hosts to target|no hosts matched",
        SetupError,
        "there is no host to work on: put the NAS into the inventory's group loop, and let --limit name it.",
    ),
    (
        r"Invalid vault password was provided|Vault password script \S+ returned",
        SetupError,
        "the vault password file gives no password: mend it, or --vault-password-file.",
    ),
    (
        r"no vault secrets|Decryption failed|HMAC verification failed",
        SetupError,
        "the vault password does not open the vault: type the right one, correct the file that --vault-password-file or"
        " ANSIBLE_VAULT_PASSWORD_FILE names, or replace the keyring's with `loopdeploy vault remember`; when it is"
        " right, the vault was damaged or tampered with.",
    ),
    (
        r"[Vv]ault (?:vaulttext|format|text|envelope|data)|unhexlify|Odd-length|Non-hexadecimal",
        SetupError,
        "the vault is damaged and cannot be decrypted: restore vault.yml from a backup.",
    ),
]
