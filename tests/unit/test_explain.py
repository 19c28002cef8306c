"""The sentence and the exit code that a failed run ends with."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest

from loopdeploy.errors import LockedError
from loopdeploy.errors import LoopdeployError
from loopdeploy.errors import RolledBackError
from loopdeploy.errors import SetupError
from loopdeploy.errors import UnhealthyError
from loopdeploy.errors import UnreachableError
from loopdeploy.explain import HEALTH_TASK
from loopdeploy.explain import REACHED_TASK
from loopdeploy.explain import REPORT_TASK
from loopdeploy.explain import Failures

# How ansible-core 2.19 begins what ssh says, with and without a module to send.
SEND = 'Task failed: Data could not be sent to remote host "nas.lan". Make sure this host can be reached over ssh: '
CONNECT = "Task failed: Failed to connect to the host via ssh: "

NO_ANSWER = "the NAS does not answer: check ansible_host and ansible_port"
LOGIN = "the login was refused: correct ansible_user and vault_ssh_password"
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


def failed(
    result: dict[str, Any],
    task: str = "loop_service : Check the NAS",
    action: str = "ansible.builtin.command",
    **data: object,
) -> dict[str, Any]:
    """Return the event of a failed task."""
    kind = "runner_on_unreachable" if result.get("unreachable") else "runner_on_failed"
    return {"event": kind, "event_data": {"host": "nas", "task": task, "task_action": action, "res": result, **data}}


def printed(text: str) -> dict[str, Any]:
    """Return the event of something that Ansible says outside a task."""
    return {"event": "verbose", "stdout": f"\x1b[0;31m{text}\x1b[0m"}


def error_of(*events: dict[str, Any]) -> LoopdeployError:
    """Return the error of a run with ``events``."""
    failures = Failures()
    for event in events:
        failures(event)
    return failures.error("rebuild")


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
    assert error.message.startswith(f"nas: {sentence}")
    assert type(error) is UnreachableError
    assert error.exit_code == 3


def test_login_without_room_for_files_is_explained() -> None:
    """Ansible calls a full disk unreachable; the login worked."""
    error = error_of(failed({"unreachable": True, "msg": "Task failed: mkdir: cannot create: No space left on device"}))
    assert error.message.startswith("nas: the NAS cannot write to its temporary directory: free space on its disk")
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
    assert error.message.startswith(f"nas: {sentence}")
    assert "\n" not in error.message
    assert type(error) is kind


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "Decryption failed (no vault secrets were found that could decrypt).",
            "the vault password does not open the vault: give the right one, and where the keyring has it",
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


def test_unknown_failure_keeps_host_step_and_reason() -> None:
    """What nobody foresaw is passed on as it is."""
    result = {"msg": "non-zero return code", "rc": 3, "stderr": "it broke", "stdout": "so far"}
    error = error_of(failed(result))
    assert error.message == "nas: Check the NAS: non-zero return code it broke so far"
    assert type(error) is LoopdeployError


def test_unknown_trouble_of_ansible_s_own_keeps_the_reason() -> None:
    """Without a failed task Ansible's own errors tell it, without the excerpt of a file."""
    error = error_of(printed("[ERROR]: YAML parsing failed: no.\nOrigin: /playbooks/x.yml:6:1\n\n6 - name: ["))
    assert error.message == "rebuild: YAML parsing failed: no."


def test_hidden_failure_still_gives_a_sentence() -> None:
    """A no_log task tells at least that it hides its reason."""
    censored = "the output has been hidden due to the fact that 'no_log: true' was specified for this result"
    assert error_of(failed({"censored": censored})).message == f"nas: Check the NAS: {censored}"


def test_failed_item_of_a_loop_tells_its_reason() -> None:
    """Ansible's "One or more items failed" helps nobody."""
    items = [{"msg": "done"}, {"failed": True, "msg": "no space left", "rc": 1, "stdout": "half"}]
    error = error_of(failed({"msg": "One or more items failed", "results": items}))
    assert error.message == "nas: Check the NAS: One or more items failed no space left half"


def test_traceback_is_left_out_and_its_last_line_kept() -> None:
    """The operator reads what is wrong, not where in the code."""
    trace = 'Traceback (most recent call last):\n  File "<stdin>", line 1, in <module>\n    raise E\nKeyError: 4\n'
    error = error_of(failed({"msg": "Module failed.", "module_stderr": trace}))
    assert error.message == "nas: Check the NAS: Module failed. KeyError: 4"


@pytest.mark.parametrize(
    "text",
    [
        "Building loop-api failed: no; its last output: /bin/sh: 1: python: not found",
        "loop-api is not healthy: no; its last log lines: PermissionError: Permission denied | timed out",
        "loop-api is not healthy: no; its last log lines: vault data missing | Decryption failed",
    ],
)
def test_quoted_log_is_passed_on_unread(text: str) -> None:
    """A container's log that mentions a refused login does not make the NAS unreachable."""
    error = error_of(failed({"msg": text}, "loop_service : Explain the failure", "ansible.builtin.fail"))
    assert error.message == f"nas: {text}"
    assert type(error) is LoopdeployError


def test_engine_that_is_down_is_not_the_nas() -> None:
    """The preflight's own sentence says what refused the connection."""
    text = "The Docker engine does not answer at /var/run/docker.sock ([Errno 111] Connection refused): start it."
    error = error_of(failed({"msg": text}, action="preflight"))
    assert error.message == f"nas: Check the NAS: {text}"
    assert type(error) is LoopdeployError


def test_refused_connection_of_a_task_is_not_the_nas() -> None:
    """Only a login that failed ends with exit code 3."""
    text = "Status code was -1 and not [200]: Request failed: <urlopen error [Errno 111] Connection refused>"
    assert type(error_of(failed({"msg": text}, action="ansible.builtin.uri"))) is LoopdeployError


def test_last_failure_counts() -> None:
    """A rescued failure comes first, the explanation behind it."""
    error = error_of(
        failed({"censored": "hidden"}, "loop_service : Start"),
        failed({"msg": "loop-api is not healthy"}, "loop_service : Explain", "ansible.builtin.fail"),
    )
    assert error.message == "nas: loop-api is not healthy"


def test_failure_wins_over_a_warning() -> None:
    """Ansible's warnings do not hide the failed task."""
    error = error_of(printed("[WARNING]: Host key verification failed"), failed({"msg": "the reason"}))
    assert error.message == "nas: Check the NAS: the reason"


def test_unhealthy_service_is_named_before_the_table() -> None:
    """Exit code 4, the sentence first, the containers behind it."""
    message = ["NAMES IMAGE STATUS\nloop-api x Exited (1), Connection refused", "Not healthy: loop-api; read the logs."]
    error = error_of(failed({"msg": message}, f"loop_service : {HEALTH_TASK}", "ansible.builtin.assert"))
    assert error.message == f"nas: {message[1]}\n{message[0]}"
    assert type(error) is UnhealthyError
    assert error.exit_code == 4


def test_doctor_that_reached_nobody_ends_like_any_verb() -> None:
    """Exit code 3, though the refused login itself was one line of a table."""
    refused = failed({"unreachable": True, "msg": CONNECT + "Permission denied"}, task="loop_service : Ask the NAS")
    result = {"evaluated_to": False, "msg": "failed: login; the line of each says what to do."}
    error = error_of(refused, failed(result, task=f"loop_service : {REACHED_TASK}", action="ansible.builtin.assert"))
    assert isinstance(error, UnreachableError)
    assert error.message == "nas: failed: login; the line of each says what to do."


def test_locked_nas_is_told_in_the_module_s_words() -> None:
    """Exit code 6, and nothing in front of who holds it."""
    text = "The NAS is locked by ann on desk (process 7), who runs rebuild since 08:00: wait until that run is done."
    error = error_of(failed({"msg": text}, "loop_service : Take the lock over", "deploy_lock"))
    assert (error.message, error.exit_code, type(error)) == (f"nas: {text}", 6, LockedError)


@pytest.mark.parametrize(("rolled_back", "kind", "code"), [(True, RolledBackError, 5), (False, LoopdeployError, 1)])
def test_failed_replacement_tells_whether_the_old_one_runs(
    rolled_back: bool, kind: type[LoopdeployError], code: int
) -> None:
    """A pipeline must know whether somebody has to get up; a quoted log does not count."""
    result = {"msg": "it ended; its last log lines: Incorrect sudo password", "rolled_back": rolled_back}
    error = error_of(failed(result, "loop_service : Swap in release x", "container_swap"))
    assert error.message == f"nas: Swap in release x: {result['msg']}"
    assert (type(error), error.exit_code) == (kind, code)


@pytest.mark.parametrize(
    "after",
    [
        failed({"msg": "Swap: again"}, f"loop_service : {REPORT_TASK}", "ansible.builtin.fail"),
        failed({"msg": "non-zero return code", "rc": 1}, "loop_service : End rebuild", "ansible.builtin.raw"),
        failed({"unreachable": True, "msg": CONNECT + "Connection timed out"}, "End rebuild", "ansible.builtin.raw"),
    ],
)
def test_writing_a_failure_down_does_not_replace_it(after: dict[str, Any]) -> None:
    """Neither the task that tells it again, nor one that finds the disk full or the line cut."""
    error = error_of(failed({"msg": "no", "rolled_back": True}, "Swap", "container_swap"), after)
    assert (error.message, error.exit_code) == ("nas: Swap: no", 5)


def test_end_that_alone_fails_is_told() -> None:
    """All went well, but it is not in the history, and the lock may be held."""
    error = error_of(failed({"msg": "non-zero return code", "rc": 1}, "End rebuild", "ansible.builtin.raw"))
    assert error.message == "nas: End rebuild: non-zero return code"
