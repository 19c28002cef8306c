"""Replacing a container by another one in one process on the NAS, so that nothing outside can leave it half done.

A service NAME has up to four containers: NAME serves, NAME-next is made and not started, NAME-previous is the one
before, stopped and kept, NAME-discard is the one before that while a replacement is under way.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from ansible.module_utils.loop_engine import PATIENCE
from ansible.module_utils.loop_engine import Engine
from ansible.module_utils.loop_health import last_words
from ansible.module_utils.loop_health import wait_until_it_answers
from ansible.module_utils.loop_health import watch
from ansible.module_utils.loop_images import image_id
from ansible.module_utils.loop_journal import Journal
from ansible.module_utils.loop_journal import alone
from ansible.module_utils.loop_journal import note
from ansible.module_utils.loop_problem import Down
from ansible.module_utils.loop_problem import Problem
from ansible.module_utils.loop_problem import RolledBack

# Across a reboot the engine starts it again, even though it was stopped by hand; and the opposite.
ALWAYS = {"Name": "always"}
NEVER = {"Name": "no"}
# What a service has that nobody says more of: stopped by hand, it stays so.
USUAL = {"Name": "unless-stopped"}
# Seconds until the engine's own verdict comes, behind which nobody waits: the service answers already.
VERDICT = 60
# Seconds that a container gets to end which does not work anyway.
FAILED_STOP = 2


def release(container: dict[str, Any] | None) -> str:
    """Return which release a container is, its image's id when it was made by hand."""
    if container is None:
        return "none"
    label = (container["Config"].get("Labels") or {}).get("loopdeploy.release")
    return str(label or container["Image"].partition(":")[2][:12])


class Swap:
    """One replacement of the container ``name``; each step says what is to hold, so that it can be repeated."""

    def __init__(self, engine: Engine, journal: Journal, name: str, entry: dict[str, Any], timeout: float) -> None:
        self.engine = engine
        self.journal = journal
        self.name = name
        self.entry = entry
        self.timeout = timeout
        self.gone = 0.0
        self.gap = 0.0

    def perform(self) -> None:
        """Put the new container in the old one's place, or the old one back; raise RolledBack, or Down."""
        new, old, discard = self.entry["new"], self.entry["old"], self.entry["discard"]
        self.journal.write(self.entry)
        try:
            if discard:
                self.engine.name(discard, f"{self.name}-discard")
            self.engine.name(new, f"{self.name}-next")
            # Until it proved itself, a reboot brings back the old one, and that alone.
            self.engine.restart_policy(new, NEVER)
            self.gone = time.monotonic()
            if old:
                self._let_go(old)
            self.engine.name(new, self.name)
            self.engine.start(new)
            starts = wait_until_it_answers(self.engine, new, self.timeout)
            self.gap = time.monotonic() - self.gone if self.entry["served"] else 0.0
            watch(self.engine, new, starts, VERDICT, until_healthy=True)
        except Problem as problem:
            raise self.undo(str(problem)) from problem
        try:
            self.finish()
        except Problem as problem:
            raise Problem(
                f"{self.name} runs release {self.entry['after']}, but what was before it could not be put away"
                f" ({problem}): mend the cause and run `loopdeploy recover`."
            ) from problem

    def _let_go(self, old: str) -> None:
        if self.entry["served"]:
            self.engine.restart_policy(old, ALWAYS)
            self.gone = time.monotonic()
            self.engine.stop(old, self.entry["stop"])
        self.engine.name(old, f"{self.name}-previous")

    def serves(self) -> bool:
        """Return whether the new container is in its place, and works."""
        new = self.engine.container(self.entry["new"])
        if new is None or new["Name"] != f"/{self.name}" or not new["State"]["Running"]:
            return False
        try:
            wait_until_it_answers(self.engine, self.entry["new"], self.timeout)
        except Problem:
            return False
        return True

    def finish(self) -> None:
        """Keep the old container, stopped for good, and forget the one before it."""
        self.engine.restart_policy(self.entry["new"], self.entry["policy"])
        if self._exists(self.entry["old"]):
            self.engine.restart_policy(self.entry["old"], NEVER)
            # An engine that was started anew may have taken it instead of the new one.
            self.engine.stop(self.entry["old"], self.entry["stop"])
        self.engine.start(self.entry["new"])
        if self.entry["discard"]:
            self.engine.remove(self.entry["discard"])
        new = self.engine.container(self.entry["new"])
        if new and self.entry.get("latest"):
            self.engine.tag(new["Image"], self.entry["latest"])
        self.journal.clear()

    def undo(self, reason: str) -> Problem:
        """Put everything back as it was before perform(), and return what to tell of it.

        While something of it is left to do, the journal is there.
        """
        words = last_words(self.engine, self.entry["new"])
        try:
            self._put_back()
        except Problem as problem:
            # Of an interrupted run nobody knows since when.
            away = self._away() if self.gone else ""
            return Down(
                f"{reason}; {words}. {self.name} {self._how()}: putting {self._before()} back failed, too ({problem})"
                f"{away}; {self._before()} is the container {(self.entry['old'] or 'none')[:12]}; mend the cause and"
                f" run `loopdeploy recover`, or replace it with `loopdeploy rebuild {self.name}`",
                str(problem),
            )
        away = self._away()
        runs = f"{self._before()} runs again" if self.entry["served"] else "nothing ran before, and nothing runs now"
        if self.entry["served"] and not self.entry["healthy"]:
            runs += ", as unhealthy as it was"
        try:
            self.put_away()
        except Problem as problem:
            away += f"; what failed could not be put away ({problem}): mend the cause and run `loopdeploy recover`"
        return RolledBack(f"{reason}; {words}; {runs}{away}", self.gap)

    def _away(self) -> str:
        """Return for how long nobody was served until now, as words."""
        if not self.entry["served"]:
            return ""
        self.gap = time.monotonic() - self.gone if self.gone else 0.0
        return f"; {self.name} was away for {self.gap:.1f} s"

    def _how(self) -> str:
        """Return how the service is whose old container could not be brought back, as words."""
        with suppress(Problem):
            old = self.engine.container(self.entry["old"]) if self.entry["old"] else None
            if old and old["State"]["Running"]:
                return "is up, but was not seen to work"
        return "is down"

    def _exists(self, container: str | None) -> bool:
        return container is not None and self.engine.container(container) is not None

    def _before(self) -> str:
        return f"release {self.entry['before']}"

    def _put_back(self) -> None:
        """Let the old container serve again, as far as it did."""
        new, old = self.entry["new"], self.entry["old"]
        if self._exists(new):
            self.engine.stop(new, FAILED_STOP)
            self.engine.name(new, f"{self.name}-next")
        if self._exists(old):
            self.engine.name(old, self.name)
            if self.entry["served"]:
                self.engine.start(old)
                if self.entry["healthy"]:
                    wait_until_it_answers(self.engine, old, self.timeout)

    def give_up(self) -> None:
        """Leave the old container, which does not start any more, in its place, for another one to come there."""
        if self._exists(self.entry["old"]):
            self.engine.name(self.entry["old"], self.name)
        self.put_away()

    def put_away(self) -> None:
        """Let the old container, which is in its place, be all that the replacement leaves."""
        new, old, discard = self.entry["new"], self.entry["old"], self.entry["discard"]
        if self._exists(old):
            self.engine.restart_policy(old, self.entry["old_policy"])
        if not self.entry["kept"]:
            self.engine.remove(new)
            if self.entry.get("unproved"):
                self.engine.untag(self.entry["unproved"])
        elif self._exists(new):
            self.engine.name(new, f"{self.name}-previous")
            self.engine.restart_policy(new, NEVER)
        if self._exists(discard):
            self.engine.name(discard, f"{self.name}-previous")
        self.journal.clear()


def plan(engine: Engine, name: str, rollback: bool, policy: str | None) -> dict[str, Any]:
    """Return the entry of a replacement of ``name`` by its next container, or by the one before; raise a Problem."""
    old, previous = engine.container(name), engine.container(f"{name}-previous")
    new = previous if rollback else engine.container(f"{name}-next")
    if new is None:
        wanted, advice = f"{name}-next", ""
        if rollback:
            wanted, advice = f"{name}-previous", "; name a release of `loopdeploy history` with --to"
        raise Problem(f"There is no container {wanted} to put in {name}'s place{advice}.")
    return {
        "new": new["Id"],
        "old": old["Id"] if old else None,
        "discard": previous["Id"] if previous and not rollback else None,
        "policy": {"Name": policy} if policy else old["HostConfig"]["RestartPolicy"] if old else USUAL,
        "old_policy": old["HostConfig"]["RestartPolicy"] if old else None,
        "served": bool(old and old["State"]["Running"]),
        # One that was not need not be, to count as put back: else nothing could ever replace it.
        "healthy": bool(old and (old["State"].get("Health") or {}).get("Status", "healthy") == "healthy"),
        "kept": rollback,
        "stop": (old["Config"].get("StopTimeout") if old else None) or 5,
        "before": release(old),
        "after": release(new),
        "image": new["Image"],
    }


def require_image(entry: dict[str, Any], name: str, wanted: str) -> None:
    """Raise a Problem unless the new container of ``name`` has the image ``wanted``."""
    if entry["image"] != wanted:
        raise Problem(
            f"The container that is to be {name} has the image {entry['image']} instead of {wanted}: try again; nothing"
            " was touched."
        )


def verified(engine: Engine, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Return the container that serves, or raise a Problem when it is not the new one with its image."""
    running: dict[str, Any] | None = engine.container(name)
    if running is None or running["Id"] != entry["new"]:
        raise Problem(f"{name} is not the container that was started: look at it with `loopdeploy status`.")
    if running["Image"] != entry["image"]:
        raise Problem(
            f"{name} runs the image {running['Image']}, release {release(running)}, instead of {entry['image']}: look"
            " at it with `loopdeploy status`, or bring back what ran before with `loopdeploy rollback`."
        )
    return running


def replace(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Put the next container in the old one's place, or the one before; raise RolledBack, or a Problem."""
    engine, journal = Engine(params["socket"], PATIENCE), Journal(params["state_dir"], params["name"])
    name, timeout = params["name"], params["timeout"]
    if check_mode:
        wanted = "previous" if params["state"] == "rolled_back" else "next"
        found = engine.container(f"{name}-{wanted}")
        return {
            "changed": found is not None,
            "before": release(engine.container(name)),
            "after": release(found),
            "gap": 0.0,
        }
    with alone(params["state_dir"]):
        if journal.read():
            raise Problem(
                f"A replacement of {name} was interrupted meanwhile: run `loopdeploy recover`, then try again."
            )
        entry = plan(engine, name, params["state"] == "rolled_back", params["restart_policy"])
        entry.update(latest=params["latest"], unproved=params["unproved"])
        if params["image"]:
            require_image(entry, name, image_id(engine, params["image"]))
        told = {"service": name, "before": entry["before"], "after": entry["after"], "outcome": "done"}
        swap = Swap(engine, journal, name, entry, timeout)
        try:
            swap.perform()
        except Problem as problem:
            outcome = "rolled back" if isinstance(problem, RolledBack) else "failed"
            note(params["state_dir"], {**told, "outcome": outcome, "gap": round(swap.gap, 2)})
            raise
        note(params["state_dir"], {**told, "gap": round(swap.gap, 2)})
    running = verified(engine, name, entry)
    facts = {"before": entry["before"], "after": entry["after"], "image": running["Image"]}
    return {**facts, "changed": True, "gap": round(swap.gap, 2)}
