"""Exchanging the files of an authorization server for those of a backup, or back, in one process on the NAS."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import Any
from typing import NoReturn

from ansible.module_utils.loop_backup import refresh
from ansible.module_utils.loop_engine import PATIENCE
from ansible.module_utils.loop_engine import Engine
from ansible.module_utils.loop_files import Files
from ansible.module_utils.loop_health import last_words
from ansible.module_utils.loop_health import wait_until_it_answers
from ansible.module_utils.loop_health import watch
from ansible.module_utils.loop_journal import Journal
from ansible.module_utils.loop_journal import note
from ansible.module_utils.loop_problem import Down
from ansible.module_utils.loop_problem import Problem
from ansible.module_utils.loop_problem import Refusal
from ansible.module_utils.loop_problem import RolledBack
from ansible.module_utils.loop_swap import ALWAYS
from ansible.module_utils.loop_swap import VERDICT
from ansible.module_utils.loop_swap import release


class Restoration:
    """One restore; its ``entry`` in the journal names the backup that is to be in place, and the one of before.

    ``put`` says that its files are in place, ``back`` that it is the one of before, instead of the ``wanted`` one.
    The files in use are ``mixed`` from when on some of them may be of another backup than of the one of before.
    ``gap`` has for how many seconds the container was away; of an ``interrupted`` one nobody knows since when.
    """

    def __init__(self, params: dict[str, Any], entry: dict[str, Any], interrupted: bool = False) -> None:
        self.params = params
        self.entry = entry
        self.interrupted = interrupted
        self.name: str = params["container"]
        self.engine = Engine(params["socket"], PATIENCE)
        self.journal = Journal(params["state_dir"], self.name, "restore")
        self.mixed = interrupted
        self.gone = 0.0
        self.gap = 0.0

    def files(self) -> Files:
        """Copy the backup's files beside those in use; on the way back, what it lacks is to go; raise a Problem."""
        source = os.path.join(self.params["directory"], self.entry["new"])
        return Files(source, self.params["database"], self.params["keys"], whole=self.entry.get("back", False))

    def perform(self, files: Files) -> None:
        """Let the container run with ``files``; raise RolledBack when it runs with those of before instead, or Down."""
        try:
            self._exchange(files)
        except Problem as problem:
            words = last_words(self.engine, self.name)
            if self.entry.get("back"):
                self._leave(f"A restore of {self.name} was interrupted; {words}", problem)
            reason = f"{self.name} does not work with the backup {self.entry['new']} ({problem}); {words}"
            if not self.entry["before"]:
                self._leave(reason, problem)
            self.turn_back()
            try:
                self._exchange(self.files())
            except Problem as second:
                self._leave(reason, second)
            raise RolledBack(
                f"{reason}; what it had before was brought back, and release"
                f" {release(self.engine.container(self.name))} runs again{self._away()}",
                self.gap,
            ) from problem

    def _exchange(self, files: Files) -> None:
        try:
            # A reboot from here on starts it again, although it was stopped by hand.
            self.engine.restart_policy(self.name, ALWAYS)
            self.gone = self.gone or time.monotonic()
            self.engine.stop(self.name, 10)
            self._put(files)
        except Problem:
            files.discard()
            raise
        try:
            self.journal.write({**self.entry, "put": True})
        except Problem:
            # The disk is full. What the service writes from now on is worth more than a restart policy: a journal that
            # does not say that the files are in place would put them once more.
            self.journal.clear()
        self.engine.start(self.name)
        starts = wait_until_it_answers(self.engine, self.name, self.params["timeout"])
        self.gap = time.monotonic() - self.gone
        watch(self.engine, self.name, starts, VERDICT, until_healthy=True)
        self.engine.restart_policy(self.name, self.entry["policy"])
        self.journal.clear()

    def _put(self, files: Files) -> None:
        """Put the files in place; while none is, those in use are what it had before, to the last write."""
        if not self.mixed and self.entry.get("back"):
            files.discard()  # older than those that are there
            return
        if not self.mixed and self.entry["before"]:
            refresh(os.path.join(self.params["directory"], self.entry["before"]), self.params["database"])
        self.mixed = True
        files.put()

    def turn_back(self) -> None:
        """Let it be the backup of before that is to be in place."""
        self.entry = {**self.entry, "new": self.entry["before"], "back": True, "wanted": self.entry["new"]}
        # On a full disk it is not written: to put back what was matters more than what a kill meanwhile would need.
        with suppress(Problem):
            self.journal.write(self.entry)

    def _leave(self, reason: str, problem: Problem) -> NoReturn:
        """Raise Down, with what is left to the operator; the next run must not try the same again."""
        # Where the engine does not answer, the journal stays: the next run tries again.
        with suppress(Problem):
            self.settle()
            self.journal.clear()
        if self.gone:
            self.gap = time.monotonic() - self.gone
        made, state = self.entry["before"], self.state() + self._away()
        if not made:
            raise Down(
                f"{reason}. {state}: it had nothing before that could be brought back: mend the cause, or bring"
                " another backup back with `loopdeploy restore --auth`",
                str(problem),
            ) from problem
        raise Down(
            f"{reason}. {state}: bringing back what it had before failed, too ({problem}); that is the backup"
            f" {made}: mend the cause and run `loopdeploy restore --auth {made}`",
            str(problem),
        ) from problem

    def _away(self) -> str:
        return "" if self.interrupted else f"; {self.name} was away for {self.gap:.1f} s"

    def settle(self) -> None:
        """Give the container its restart policy, and start it as it is if it does not run."""
        with suppress(Refusal):  # it was removed
            self.engine.restart_policy(self.name, self.entry["policy"])
        with suppress(Refusal):
            self.engine.start(self.name)

    def state(self) -> str:
        """Return whether the container runs, and which release, as words."""
        try:
            container = self.engine.container(self.name)
        except Problem:
            return f"whether {self.name} runs is not known"
        if container is None:
            return f"there is no container {self.name}"
        return f"{self.name} {f'runs release {release(container)}' if container['State']['Running'] else 'is down'}"

    def note(self, outcome: str) -> None:
        """Leave what came of it for the history."""
        line = {"service": self.name, "backup": self.entry.get("wanted", self.entry["new"]), "outcome": outcome}
        note(self.params["state_dir"], line if self.interrupted else {**line, "gap": round(self.gap, 2)})

    def note_failure(self, problem: Problem) -> None:
        """Leave for the history that it failed."""
        self.note("rolled back" if isinstance(problem, RolledBack) else "failed")
