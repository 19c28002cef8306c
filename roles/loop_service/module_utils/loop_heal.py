"""Finishing or undoing what a run left of a replacement that was killed, cut off, or ended by a power cut."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.loop_engine import PATIENCE
from ansible.module_utils.loop_engine import Engine
from ansible.module_utils.loop_journal import Journal
from ansible.module_utils.loop_journal import alone
from ansible.module_utils.loop_journal import cancelled
from ansible.module_utils.loop_journal import note
from ansible.module_utils.loop_problem import Down
from ansible.module_utils.loop_swap import Swap

# Containers that only a run under way has.
LEFT = ("candidate", "next", "discard")


def heal(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Finish or undo what an interrupted run left of a service, and return what was done, in sentences.

    Raises Down, or another Problem, when it cannot be.
    """
    engine, journal = Engine(params["socket"], PATIENCE), Journal(params["state_dir"], params["name"])
    if check_mode:
        left = journal.read() or any(engine.container(f"{params['name']}-{kind}") for kind in LEFT)
        return {"changed": bool(left), "healed": []}
    told = []
    with cancelled(params["state_dir"]), alone(params["state_dir"]):
        entry = journal.read()
        if entry:
            swap = Swap(engine, journal, params["name"], entry, params["timeout"])
            told.append(_heal_swap(swap, params["state_dir"], params["down"]))
        for kind in LEFT:
            container = engine.container(f"{params['name']}-{kind}")
            if container and not journal.read():  # else it belongs to what is still to be undone
                engine.remove(container["Id"])
                told.append(f"removed {params['name']}-{kind}, which an interrupted run left")
    return {"changed": bool(told), "healed": told}


def _heal_swap(swap: Swap, state: str, down: str) -> str:
    # For how long nobody was served, only the run knew that is gone.
    line = {"service": swap.name, "before": swap.entry["before"], "after": swap.entry["after"]}
    if swap.serves():
        swap.finish()
        note(state, {**line, "outcome": "finished"})
        return f"finished the interrupted replacement of {swap.name} by release {swap.entry['after']}"
    problem = swap.undo("the interrupted replacement was undone")
    note(state, {**line, "outcome": "failed" if isinstance(problem, Down) else "undone"})
    if isinstance(problem, Down) and down == "kept":
        return f"{swap.name} is down, and release {swap.entry['before']} does not come back ({problem.cause})"
    if isinstance(problem, Down) and down == "given_up":
        swap.give_up()
        return (
            f"gave release {swap.entry['before']} of {swap.name} up, for another one to replace it ({problem.cause});"
            f" if none does, try `loopdeploy start {swap.name}`"
        )
    if swap.journal.read():
        raise problem
    return f"undid the interrupted replacement of {swap.name}: release {swap.entry['before']} is in its place"
