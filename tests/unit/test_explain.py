"""The sentence and the exit code that a failed run ends with."""

from __future__ import annotations

from typing import Any

import pytest

from loopdeploy.content import CONTENT
from loopdeploy.errors import LockedError
from loopdeploy.errors import LoopdeployError
from loopdeploy.errors import RolledBackError
from loopdeploy.errors import UnhealthyError
from loopdeploy.errors import UnreachableError
from loopdeploy.explain import HEALTH_TASK
from loopdeploy.explain import REACHED_TASK
from loopdeploy.explain import REPORT_TASK
from loopdeploy.explain import SOUND_TASK
from tests.unit.failures import CONNECT
from tests.unit.failures import error_of
from tests.unit.failures import failed
from tests.unit.failures import printed


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
        "it failed: no; its last output: /bin/sh: 1: python: not found",
        "loop-api is not healthy: no; its last log lines: PermissionError: Permission denied | timed out",
        "loop-api is not healthy: no; its last log lines: vault data missing | Decryption failed",
    ],
)
def test_quoted_log_is_passed_on_unread(text: str) -> None:
    """A container's log that mentions a refused login does not make the NAS unreachable."""
    error = error_of(failed({"msg": text}, "loop_service : Explain the failure", "ansible.builtin.fail"))
    assert error.message == f"nas: Explain the failure: {text}"
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
    assert error.message == "nas: Explain: loop-api is not healthy"


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


def test_doctor_that_found_a_fault_says_which() -> None:
    """Its sentence is an answer, in which the step that requires one is no news."""
    result = {"evaluated_to": False, "msg": "failed: requests; the line of each says what to do."}
    error = error_of(failed(result, f"loop_service : {SOUND_TASK}", "ansible.builtin.assert"))
    assert (error.message, error.exit_code) == (f"nas: {result['msg']}", 1)


@pytest.mark.parametrize("task", [HEALTH_TASK, REACHED_TASK, SOUND_TASK])
def test_tasks_that_answer_are_in_the_role(task: str) -> None:
    """A name that no task has any more would word nothing."""
    tasks = CONTENT / "roles" / "loop_service" / "tasks"
    assert [file for file in tasks.glob("*.yml") if f"- name: {task}\n" in file.read_text()]


def test_validation_is_named_without_what_the_role_is_for() -> None:
    """Ansible's name of that step is longer than the reason."""
    task = "loop_service : Validating arguments against arg spec 'logs' - Show the last log lines: of one, or both"
    result = {"msg": "'vault_ssh_password' is undefined"}
    error = error_of(failed(result, task, "ansible.builtin.validate_argument_spec"))
    assert error.message.startswith("nas: Validating arguments against arg spec 'logs': vault_ssh_password is not set")


def test_locked_nas_is_told_in_the_module_s_words() -> None:
    """Exit code 6, and who holds it."""
    text = "The NAS is locked by ann on desk (process 7), who runs rebuild since 08:00: wait until that run is done."
    error = error_of(failed({"msg": text}, "loop_service : Take the lock over", "deploy_lock"))
    assert (error.message, error.exit_code, type(error)) == (f"nas: Take the lock over: {text}", 6, LockedError)


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
