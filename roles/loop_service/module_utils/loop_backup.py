"""Backups of what an authorization server knows: its database and its keys."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import closing
from typing import Any

from ansible.module_utils.loop_engine import Engine
from ansible.module_utils.loop_health import last_words
from ansible.module_utils.loop_health import wait_until_it_answers
from ansible.module_utils.loop_health import watch
from ansible.module_utils.loop_journal import Journal
from ansible.module_utils.loop_journal import alone
from ansible.module_utils.loop_problem import Down
from ansible.module_utils.loop_problem import Problem
from ansible.module_utils.loop_swap import ALWAYS
from ansible.module_utils.loop_swap import PATIENCE
from ansible.module_utils.loop_swap import VERDICT

# What SQLite keeps beside a database that is in use.
COMPANIONS = ("-wal", "-shm", "-journal")


def create(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Make a backup and return its name; remove the oldest ones."""
    database, keys, directory = params["database"], params["keys"], params["directory"]
    if check_mode or not (os.path.exists(database) or os.path.isdir(keys)):
        return {"changed": check_mode, "backup": ""}
    name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    while os.path.exists(os.path.join(directory, name)):  # of the same second
        name += "-again"
    partial = os.path.join(directory, f"{name}.partial")
    os.umask(0o077)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        os.makedirs(partial)
        if os.path.exists(database):
            _save(database, os.path.join(partial, "oauth.db"), params.get("damaged", False))
        if os.path.isdir(keys):
            os.mkdir(os.path.join(partial, "keys"))
            for name_of_key in key_files(keys):
                shutil.copy2(os.path.join(keys, name_of_key), os.path.join(partial, "keys", name_of_key))
        os.rename(partial, os.path.join(directory, name))
    except OSError as error:
        raise Problem(
            f"No backup could be made in {directory} ({error}): free space on the NAS; nothing was touched."
        ) from error
    for old in names(directory)[params["keep"] :]:
        if old != name:  # which sorts last when the clock was set back
            shutil.rmtree(os.path.join(directory, old))
    return {"changed": True, "backup": name}


def _save(database: str, copy: str, damaged: bool) -> None:
    """Copy the database; one that may be ``damaged`` as it is, when SQLite cannot read it any more."""
    try:
        copy_database(database, copy)
    except Problem:
        if not damaged:
            raise
        for companion in ("", *COMPANIONS):
            if os.path.exists(database + companion):
                shutil.copy2(database + companion, copy + companion)


def key_files(directory: str) -> list[str]:
    """Return the names of the files in ``directory``; DSM puts directories of its own beside them, ``@eaDir``."""
    paths = [(name, os.path.join(directory, name)) for name in sorted(os.listdir(directory))]
    return [name for name, path in paths if os.path.isfile(path) and not os.path.islink(path)]


def names(directory: str) -> list[str]:
    """Return the names of the backups, the newest first."""
    found = os.listdir(directory) if os.path.isdir(directory) else []
    return sorted((name for name in found if not name.endswith(".partial")), reverse=True)


def copy_database(source: str, target: str) -> None:
    """Copy a SQLite database that may be in use, and check the copy; raise a Problem when either cannot be done.

    See "SQLite Backup API" in SQLite's documentation.
    """
    try:
        import sqlite3  # not every package of Python has it
    except ImportError as error:
        raise Problem(
            f"The NAS's Python has no sqlite3 ({error}): set ansible_python_interpreter to one that has it, because"
            " without a backup loop-auth is not replaced."
        ) from error
    try:
        with closing(sqlite3.connect(source, timeout=10)) as database, closing(sqlite3.connect(target)) as copy:
            database.backup(copy)
            (verdict,) = copy.execute("PRAGMA quick_check").fetchone()
            # The copy is one file, whatever its source uses.
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise Problem(
            f"The database {source} cannot be backed up ({error}): restore it with `loopdeploy restore --auth`, or look"
            " at it with sqlite3; nothing was touched."
        ) from error
    if verdict != "ok":
        raise Problem(f"The database {source} is damaged ({verdict}): restore it with `loopdeploy restore --auth`.")


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
    engine, name = Engine(params["socket"], PATIENCE), params["container"]
    with alone(params["state_dir"]):
        container = engine.container(name)
        if container is None:
            raise Problem(f"There is no container {name} on this NAS: deploy it with `loopdeploy rebuild-all`.")
        # One more may stay, so that the wanted one is not the one that goes.
        made = create({**params, "keep": params["keep"] + 1, "damaged": True}, False)["backup"]
        entry = {"new": wanted, "before": made, "policy": container["HostConfig"]["RestartPolicy"]}
        gap = _bring_back(engine, params, entry)
    return {"changed": True, "backup": made, "restored": wanted, "gap": round(gap, 2)}


def heal(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Finish a restore that was killed or cut off, and return what was done, in sentences; raise a Problem."""
    name, journal = params["container"], _journal(params)
    if check_mode:
        return {"changed": bool(journal.read()), "healed": []}
    with alone(params["state_dir"]):
        entry = journal.read()
        if not entry:
            return {"changed": False, "healed": []}
        if entry["new"] not in names(params["directory"]):
            journal.clear()
            raise Problem(
                f"A restore of {name} was interrupted and its backup {entry['new']} is gone: bring another one back"
                " with `loopdeploy restore --auth`."
            )
        engine = Engine(params["socket"], PATIENCE)
        if engine.container(name):
            _bring_back(engine, params, entry)
        else:
            _put_all(params, entry)
            journal.clear()
    return {"changed": True, "healed": [f"finished the interrupted restore of {name} from the backup {entry['new']}"]}


def _journal(params: dict[str, Any]) -> Journal:
    return Journal(params["state_dir"], params["container"], "restore")


def _bring_back(engine: Engine, params: dict[str, Any], entry: dict[str, Any]) -> float:
    """Let the container run with the files of a backup, or with those of before; raise a Problem, or Down."""
    name, wanted, made = params["container"], entry["new"], entry["before"]
    _journal(params).write(entry)
    try:
        return _exchange(engine, params, entry)
    except Problem as problem:
        words = last_words(engine, name)
        try:
            back = {**entry, "new": made, "put": False}
            _journal(params).write(back)
            _exchange(engine, params, back)
        except Problem as second:
            # What to do is the operator's now; the next run must not try the same again.
            _journal(params).clear()
            raise Down(
                f"{name} does not work with the backup {wanted} ({problem}); {words}. {name} is down: bringing back"
                f" what it had before failed, too ({second}); that is the backup {made}: mend the cause and run"
                f" `loopdeploy restore --auth {made}`"
            ) from second
        raise Problem(
            f"{name} does not work with the backup {wanted} ({problem}); {words}; what it had before was brought back,"
            " and it runs again."
        ) from problem


def _exchange(engine: Engine, params: dict[str, Any], entry: dict[str, Any]) -> float:
    """Let the container run with the files of one backup, and return for how many seconds it was away."""
    name = params["container"]
    # A reboot from here on starts it again, although it was stopped by hand.
    engine.restart_policy(name, ALWAYS)
    gone = time.monotonic()
    engine.stop(name, 10)
    _put_all(params, entry)
    engine.start(name)
    starts = wait_until_it_answers(engine, name, params["timeout"])
    gap = time.monotonic() - gone
    watch(engine, name, starts, VERDICT, until_healthy=True)
    engine.restart_policy(name, entry["policy"])
    _journal(params).clear()
    return gap


def _put_all(params: dict[str, Any], entry: dict[str, Any]) -> None:
    """Put the files of the entry's backup in place, once: what the service writes there afterwards is not lost."""
    if entry.get("put"):
        return
    source = os.path.join(params["directory"], entry["new"])
    try:
        _put(source, params["database"], params["keys"])
    except OSError as error:
        raise Problem(f"The files of {source} could not be put in place ({error})") from error
    _journal(params).write({**entry, "put": True})


def _put(source: str, database: str, keys: str) -> None:
    """Put the files of a backup in place, each at once; their owner stays who it was."""
    copy = os.path.join(source, "oauth.db")
    if os.path.exists(copy):
        owner = os.stat(database if os.path.exists(database) else os.path.dirname(database))
        # Those of the database that goes would be taken for its own.
        for companion in COMPANIONS:
            if os.path.lexists(database + companion):
                os.unlink(database + companion)
        for companion in ("", *COMPANIONS):
            if os.path.exists(copy + companion):
                _put_file(copy + companion, database + companion, owner)
    if os.path.isdir(os.path.join(source, "keys")):
        _put_keys(os.path.join(source, "keys"), keys)
    for directory in filter(os.path.isdir, (os.path.dirname(database), keys)):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)  # before the journal goes
        finally:
            os.close(handle)


def _put_keys(source: str, keys: str) -> None:
    """Put the keys of a backup in place, file by file: loop-api has the directory itself mounted."""
    os.makedirs(keys, mode=0o700, exist_ok=True)
    owner, wanted = os.stat(keys), key_files(source)
    for name in wanted:
        _put_file(os.path.join(source, name), os.path.join(keys, name), owner)
    for name in set(key_files(keys)) - set(wanted):
        os.unlink(os.path.join(keys, name))


def _put_file(source: str, target: str, owner: os.stat_result) -> None:
    """Put a copy of ``source`` at ``target``; whoever can write there cannot lead it elsewhere by a symbolic link."""
    partial = target + ".restored"
    if os.path.lexists(partial):
        os.unlink(partial)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file, open(source, "rb") as content:
        shutil.copyfileobj(content, file)
        os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.flush()
        os.fsync(file.fileno())
    os.rename(partial, target)
