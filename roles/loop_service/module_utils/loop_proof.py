"""Running a new image beside the one that serves, to see whether it works, before anything is touched."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.loop_engine import Engine
from ansible.module_utils.loop_health import last_words
from ansible.module_utils.loop_health import wait_until_it_answers
from ansible.module_utils.loop_health import watch
from ansible.module_utils.loop_journal import alone
from ansible.module_utils.loop_journal import forget_cancellation
from ansible.module_utils.loop_journal import is_cancelled
from ansible.module_utils.loop_problem import Problem
from ansible.module_utils.loop_swap import release


def prove(params: dict[str, Any]) -> None:
    """Start the candidate, see it healthy and stay so, and remove it either way; raise a Problem when it is not."""
    engine, name = Engine(params["socket"]), params["name"]
    service = name.rpartition("-")[0]
    with alone(params["state_dir"]):
        forget_cancellation(params["state_dir"])
        if engine.container(name) is None:
            raise Problem(f"There is no container {name} to prove.")
        try:
            engine.start(name)
            starts = wait_until_it_answers(engine, name, params["timeout"], lambda: is_cancelled(params["state_dir"]))
            watch(engine, name, starts, params["steady"])
        except Problem as problem:
            raise Problem(
                f"{problem}; {last_words(engine, name)}; {service} was not touched: release"
                f" {release(engine.container(service))} runs on, it was away for 0 s"
            ) from problem
        finally:
            engine.remove(name)
