"""What Ansible, ssh, sudo and Docker say, and the sentence that an operator gets instead."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest

from loopdeploy.errors import LoopdeployError
from loopdeploy.errors import SetupError
from loopdeploy.errors import UnreachableError
from tests.unit.failures import CONNECT
from tests.unit.failures import SEND
from tests.unit.failures import error_of
from tests.unit.failures import failed
from tests.unit.failures import printed

NO_ANSWER = "the NAS does not answer: check ansible_host and ansible_port"
LOGIN = "the login was refused: correct ansible_user in hosts.yml and the password with `loopdeploy vault"
HOST_KEY = "the host key is not the pinned one: compare its fingerprint on the NAS"
EXPIRED = "the password has expired: log in with ssh, change it, then give it to the vault"
CHANGED_KEY = (
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n"
    "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n"
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n"
    "Host key for nas.lan has changed and you have requested strict checking.\r\n"
    "Host key verification failed."
)
OLD_PYTHON = """\
Traceback (most recent call last):
  File "<stdin>", line 274, in <module>
  File "<frozen importlib._bootstrap>", line 983, in _find_and_load
  File "/tmp/payload.zip/ansible/module_utils/_internal/__init__.py", line 50
    def import_controller_module(_module_name: str, /) -> t.Any:
                                                    ^
SyntaxError: invalid syntax
"""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SEND + "ssh: connect to host nas.lan port 22: Connection refused", NO_ANSWER),
        (CONNECT + "ssh: connect to host nas.lan port 22: Connection refused", NO_ANSWER),
        (CONNECT + "ssh: connect to host nas.lan port 22: No route to host", NO_ANSWER),
        (CONNECT + "ssh: connect to host nas.lan port 22: Network is unreachable", NO_ANSWER),
        (CONNECT + "ssh: connect to host nas.lan port 22: Connection timed out", NO_ANSWER),
        (SEND + "Connection timed out during banner exchange\r\nConnection to nas.lan port 22 timed out", NO_ANSWER),
        (SEND + "kex_exchange_identification: read: Connection reset by peer", NO_ANSWER),
        (SEND + "kex_exchange_identification: Connection closed by remote host", NO_ANSWER),
        (
            "Task failed: Data could not be sent to remote host 'nas.lan'. Make sure this host can be reached over SSH:"
            " [Errno 32] Broken pipe",
            NO_ANSWER,
        ),
        (
            CONNECT + "ssh: Could not resolve hostname nas.lan: Name or service not known",
            "the host name nas.lan is unknown: correct ansible_host in the inventory.",
        ),
        (CONNECT + "loop@nas.lan: Permission denied (publickey,password).", LOGIN),
        (SEND + "Permission denied, please try again.\r\nloop@nas.lan: Permission denied (password).", LOGIN),
        (SEND + "Received disconnect from nas.lan port 22:2: Too many authentication failures", LOGIN),
        ("Task failed: Invalid/incorrect password: Permission denied, please try again.", LOGIN),
        (CONNECT + CHANGED_KEY, HOST_KEY),
        (
            CONNECT + "No ED25519 host key is known for nas.lan and you have requested strict checking.\r\nHost key"
            " verification failed.",
            "the host key is not pinned: compare its fingerprint on the NAS, then pin it with `loopdeploy init --pin`.",
        ),
        (
            CONNECT
            + "no such identity: /home/ann/.ssh/key: No such file or directory\r\nann@nas.lan: Permission denied",
            "the SSH key /home/ann/.ssh/key is not on this machine: make one and install it with",
        ),
        (
            CONNECT
            + "Permissions 0644 for '/k' are too open.\r\nLoad key \"/k\": bad permissions\r\nPermission denied",
            "the SSH key /k may be read by others, so ssh does not use it",
        ),
        (CONNECT + "Your password has expired.\r\nPassword change required but no TTY available.", EXPIRED),
        (CONNECT + "Host key verification failed.", HOST_KEY),
    ],
)
def test_unreachable_nas_is_explained(text: str, sentence: str) -> None:
    """What ssh says becomes what to do, and the exit code is 3."""
    error = error_of(failed({"unreachable": True, "msg": text, "exception": "(traceback unavailable)"}))
    assert error.message.startswith(f"nas: Check the NAS: {sentence}")
    assert type(error) is UnreachableError
    assert error.exit_code == 3


def test_login_without_room_for_files_is_explained() -> None:
    """Ansible calls a full disk unreachable; the login worked."""
    error = error_of(failed({"unreachable": True, "msg": "Task failed: mkdir: cannot create: No space left on device"}))
    assert error.message.startswith(
        "nas: Check the NAS: the NAS cannot write to its temporary directory: free space on its disk"
    )
    assert error.exit_code == 1


def test_unreachable_for_an_unknown_reason_keeps_the_reason() -> None:
    """A pipeline gets exit code 3 whatever ssh said."""
    error = error_of(failed({"unreachable": True, "msg": CONNECT + "Bad configuration option: foo"}))
    assert error.message == "nas: Check the NAS: Failed to connect to the host via ssh: Bad configuration option: foo"
    assert type(error) is UnreachableError


@pytest.mark.parametrize(
    ("result", "kind", "sentence"),
    [
        ({"msg": "Task failed: Incorrect sudo password"}, UnreachableError, "sudo refused the password: correct"),
        ({"msg": "Task failed: Missing sudo password"}, UnreachableError, "sudo refused the password: correct"),
        (
            {"msg": "", "module_stderr": "sudo: 1 incorrect password attempt\n", "rc": 1},
            UnreachableError,
            "sudo refused the password: correct vault_sudo_password",
        ),
        # A full disk under the state directory, with dash and with bash.
        *(
            (
                {"msg": "non-zero return code", "rc": 1, "stderr": text},
                LoopdeployError,
                "the NAS's disk is full, so the",
            )
            for text in (
                "begin.sh: 42: printf: printf: I/O error",
                "end.sh: line 41: printf: write error: No space left on device",
                "environment: line 42: printf: write error: No space left on device",
            )
        ),
        (
            {
                "msg": "non-zero return code",
                "rc": 1,
                "stderr": "The state directory /v/x y is not root's alone (drwx of ann), and root runs Python from it:"
                " move it away on the NAS and run this again, which makes a new one.\n\nShared connection closed.",
            },
            LoopdeployError,
            "The state directory /v/x y is not root's alone (drwx of ann), and root runs Python from it: move it away",
        ),
        # What sudo and sshd of Debian 12 say, with a task of `raw` and with a module.
        (
            {"msg": "non-zero return code", "rc": 1, "stdout": "\r\nbob is not in the sudoers file.\r\n"},
            UnreachableError,
            "bob may not use sudo: make it a member of DSM's group administrators",
        ),
        (
            {"msg": "No start of json char found", "module_stderr": "bob is not in the sudoers file.  This incident"},
            UnreachableError,
            "bob may not use sudo",
        ),
        (
            {"msg": "", "module_stderr": "Sorry, user bob is not allowed to execute '/bin/sh' as root on nas."},
            UnreachableError,
            "bob may not use sudo",
        ),
        (
            {
                "msg": "Task failed: Timeout (12s) waiting for privilege escalation prompt: WARNING: Your password has"
                " expired.\nYou must change your password now and login again!\nChanging password for carl."
            },
            UnreachableError,
            EXPIRED,
        ),
        (
            {"msg": "", "module_stderr": "WARNING: Your password has expired.\r\nPassword change required but no TTY"},
            UnreachableError,
            EXPIRED,
        ),
        (
            {"msg": "Task failed: Timeout (12s) waiting for privilege escalation prompt: "},
            UnreachableError,
            "sudo does not answer: try `sudo true` on the NAS",
        ),
        (
            {
                "msg": "Task failed: Using a SSH password instead of a key is not possible because Host Key checking is"
                " enabled. Please add this host's fingerprint to your known_hosts file to manage this host."
            },
            UnreachableError,
            HOST_KEY,
        ),
        (
            {
                "msg": "The module interpreter '/usr/bin/python3' was not found.",
                "module_stderr": "/bin/sh: 1: /usr/bin/python3: not found\n",
                "rc": 127,
            },
            LoopdeployError,
            "there is no Python at /usr/bin/python3: install Python from DSM's Package Center",
        ),
        (
            {"msg": "Ansible requires Python 3.9 or newer on the target. Current version: 3.8.18"},
            SetupError,
            f"the NAS has Python 3.8.18, and the installed ansible-core {version('ansible-core')} needs 3.9 or newer:"
            " install ansible 12 beside loopdeploy, or a newer Python",
        ),
        (
            {
                "msg": "ansible-core requires a minimum of Python version 3.9. Current version: 3.8.18 (default, Jan  1"
                " 2026, 08:00:00) [GCC 12.2.0]"
            },
            SetupError,
            "the NAS has Python 3.8.18, and the installed ansible-core",
        ),
        (
            {
                "msg": "Module result deserialization failed: No start of json char found",
                "module_stderr": OLD_PYTHON,
                "rc": 1,
            },
            LoopdeployError,
            "the NAS's Python is older than 3.8: install a newer one",
        ),
        (
            {"msg": "Task failed: Error processing keyword 'password': 'vault_ssh_password' is undefined"},
            SetupError,
            "vault_ssh_password is not set: make an inventory with `loopdeploy init`, or where there is one already",
        ),
        (
            {"msg": "Task failed: Error processing keyword 'password': vault_ssh_password is no text"},
            SetupError,
            "the value of vault_ssh_password is no text: put it in quotes with `loopdeploy vault edit`, or give it anew"
            " with `loopdeploy vault set vault_ssh_password`.",
        ),
        (
            {
                "msg": "Task failed: Config 'password' for 'ssh' connection plugin from 'var: ansible_password' has an"
                " invalid value: Invalid value provided for 'string': {'hunter2': None}"
            },
            SetupError,
            "the value of ansible_password is no text: put it in quotes, in the vault with `loopdeploy vault edit`.",
        ),
        (
            {
                "msg": "Task failed: Error processing keyword 'port': The lookup plugin 'ansible.builtin.file' failed:"
                " Unable to access the file '/home/me/.local/state/loopdeploy/lab/ports.json': File not found. Use"
                " -vvvvv to see paths searched."
            },
            SetupError,
            "the practice NAS is not up: bring it up with `loopdeploy lab up`.",
        ),
    ],
)
def test_failed_task_is_explained(result: dict[str, Any], kind: type[LoopdeployError], sentence: str) -> None:
    """What sudo, Python and Ansible say becomes what to do."""
    error = error_of(failed(result, action="preflight"))
    assert error.message.startswith(f"nas: Check the NAS: {sentence}")
    assert "\n" not in error.message
    assert type(error) is kind


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "Decryption failed (no vault secrets were found that could decrypt).",
            "the vault password does not open the vault: type the right one, correct the file",
        ),
        ("Attempting to decrypt but no vault secrets found.", "the vault password does not open the vault"),
        (
            "Invalid vault password was provided from file (/home/me/password)",
            "the vault password file gives no password: mend it",
        ),
        (
            "Vault password script /home/me/password returned non-zero (3): None",
            "the vault password file gives no password: mend it",
        ),
        ("Vault format unhexlify error: Non-hexadecimal digit found", "the vault is damaged and cannot be decrypted"),
        ("Vault vaulttext format error: not enough values to unpack (expected 3, got 2)", "the vault is damaged"),
        ("Vault envelope format error.", "the vault is damaged"),
        ("Completely failed to parse inventory source /i/hosts.yml", "the inventory /i/hosts.yml cannot be read: mend"),
        ("Could not match supplied host pattern, ignoring: loop", "the inventory has no host or group loop: correct"),
    ],
)
def test_wrong_set_up_is_explained(text: str, sentence: str) -> None:
    """What keeps Ansible from starting ends with exit code 2."""
    error = error_of(printed("Vault password: "), printed(f"[ERROR]: {text}"))
    assert error.message.startswith(sentence)
    assert type(error) is SetupError
    assert error.exit_code == 2
