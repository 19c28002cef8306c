"""Bringing a backup of an authorization server back, and finishing what a kill or a power cut left of that."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from ansible.module_utils.loop_backup import create
from ansible.module_utils.loop_backup import names
from ansible.module_utils.loop_engine import PATIENCE
from ansible.module_utils.loop_engine import Engine
from ansible.module_utils.loop_health import last_words
from ansible.module_utils.loop_health import wait_until_it_answers
from ansible.module_utils.loop_journal import Journal
from ansible.module_utils.loop_journal import alone
from ansible.module_utils.loop_problem import Problem
from ansible.module_utils.loop_problem import Refusal
from ansible.module_utils.loop_restoration import Restoration


def restore(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Bring a backup back, the present state backed up first, and return its name and how long the service was away."""
    known = names(params["directory"])
    wanted = known[0] if params["backup"] == "latest" and known else params["backup"]
    if check_mode and not known:
        return {"changed": False, "backup": "", "restored": "", "gap": 0.0}
    if wanted not in known:
        raise Problem(f"There is no backup {params['backup']} on this NAS; there are: {', '.join(known) or 'none'}.")
    if check_mode:
        return {"changed": True, "backup": "", "restored": wanted, "gap": 0.0}
    name = params["container"]
    with alone(params["state_dir"]):
        container = Engine(params["socket"], PATIENCE).container(name)
        if container is None:
            raise Problem(f"There is no container {name} on this NAS: deploy it with `loopdeploy rebuild-all`.")
        made = create({**params, "wanted": wanted, "damaged": True}, False)["backup"]
        entry = {"new": wanted, "before": made, "policy": container["HostConfig"]["RestartPolicy"]}
        restoration = Restoration(params, entry)
        restoration.journal.write(entry)
        try:
            files = restoration.files()
        except Problem as problem:
            restoration.journal.clear()
            raise Problem(f"For {name}, {problem}: free space on the NAS; nothing was touched.") from problem
        try:
            restoration.perform(files)
        except Problem as problem:
            restoration.note_failure(problem)
            raise
        restoration.note("done")
    return {"changed": True, "backup": made, "restored": wanted, "gap": round(restoration.gap, 2)}


def heal(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Finish a restore that was killed or cut off, and return what was done, in sentences; raise a Problem."""
    journal = Journal(params["state_dir"], params["container"], "restore")
    if check_mode:
        return {"changed": bool(journal.read()), "healed": []}
    with alone(params["state_dir"]):
        entry = journal.read()
        told = [_heal(Restoration(params, entry, interrupted=True))] if entry else []
    return {"changed": bool(told), "healed": told}


def _heal(restoration: Restoration) -> str:
    """Finish an interrupted restore, or undo it when its backup is gone; return what was done, or raise a Problem."""
    try:
        if restoration.entry.get("put"):
            _confirm(restoration)
        else:
            _choose(restoration)
            _finish(restoration)
    except Problem as problem:
        restoration.note_failure(problem)
        raise
    restoration.note("undone" if restoration.entry.get("back") else "finished")
    name, backup = restoration.name, restoration.entry["new"]
    if restoration.entry.get("back"):
        return f"undid the interrupted restore of {name}: it has what it had before, the backup {backup}"
    return f"finished the interrupted restore of {name} from the backup {backup}"


def _confirm(restoration: Restoration) -> None:
    """Let the container run whose files are in place; it may have written for days, so none is put any more."""
    engine, name, before = restoration.engine, restoration.name, restoration.entry["before"]
    restoration.settle()
    try:
        if engine.container(name):
            engine.start(name)  # says why when it does not
            wait_until_it_answers(engine, name, restoration.params["timeout"])
    except Problem as problem:
        other = f" {before}" if before and not restoration.entry.get("back") else ""
        told = Problem(
            f"{name} has the files of the backup {restoration.entry['new']}, but is not healthy ({problem});"
            f" {last_words(engine, name)}; {restoration.state()}: mend the cause, or bring another backup back with"
            f" `loopdeploy restore --auth{other}`."
        )
        restoration.journal.clear()
        raise told from problem
    restoration.journal.clear()


def _choose(restoration: Restoration) -> None:
    """Turn to the backup of before when the wanted one is gone; raise a Problem when that is gone, too."""
    known, wanted = names(restoration.params["directory"]), restoration.entry["new"]
    if wanted in known:
        return
    if restoration.entry["before"] not in known:
        restoration.settle()
        told = Problem(
            f"A restore of {restoration.name} was interrupted, {restoration.state()}, and its backup {wanted} is gone:"
            " bring another one back with `loopdeploy restore --auth`."
        )
        restoration.journal.clear()
        raise told
    restoration.turn_back()


def _finish(restoration: Restoration) -> None:
    """Put the files of the backup in place, also where no container uses them; raise a Problem."""
    engine, name = restoration.engine, restoration.name
    there = engine.container(name) is not None
    try:
        files = restoration.files()
        if not there:  # the one that is made next must find the files of one backup
            files.put()
            restoration.journal.clear()
    except Problem as problem:
        with suppress(Refusal):
            engine.start(name)
        raise Problem(
            f"The interrupted restore of {name} cannot be finished ({problem}), and {restoration.state()}: free space"
            " on the NAS and run `loopdeploy recover`."
        ) from problem
    if there:
        restoration.perform(files)
