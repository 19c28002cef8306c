"""A watch over both machines: what is printed, run and written while it lasts, and what is left behind it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from tests.lab.conftest import LAB
from tests.lab.conftest import ROOT
from tests.lab.conftest import Nas
from tests.lab.conftest import Result
from tests.leaks.allowed import Found
from tests.leaks.allowed import may_be
from tests.leaks.places import HERE
from tests.leaks.places import ON_THE_NAS
from tests.leaks.search import files_here
from tests.leaks.search import files_of_the_nas
from tests.leaks.search import told_by_the_engine
from tests.leaks.temporary import Places

# The clock that stamps files is some milliseconds behind.
SLACK = 1.0


@dataclass
class Watch:
    """What was printed while it lasted, and, behind it, what leaked: the secret's name, and where."""

    #: What a secret is spelt like, and its name; one that is made meanwhile may be added.
    spellings: dict[str, str]
    leaks: list[Found] = field(default_factory=list)
    #: What is where it may be.
    allowed: list[Found] = field(default_factory=list)
    #: Seconds between two looks of the sampler.
    beat: float = 0

    def keep(self, result: Result, shows: tuple[str, ...] = ()) -> Result:
        """Search what a command printed; the secrets ``shows`` may be in its standard output."""
        for text, may_show in ((result.stdout, shows), (result.stderr or "", ())):
            names = [name for spelling, name in self.spellings.items() if spelling in text]
            self.leaks += [(name, "output") for name in names if name not in may_show]
        return result


@contextmanager
def watching(
    nas: Nas, spellings: dict[str, str], kept: Path, places: Places, but: Callable[[str, str], bool]
) -> Iterator[Watch]:
    """Watch both machines, and search them afterwards; what the operator has in ``kept``, and ``but``, is no leak.

    ``places`` are of temporary files, beside those of every run.
    """
    identity = ["docker", "inspect", "--format", "{{.Id}} {{.State.Pid}}", LAB]
    lab, pid = subprocess.run(identity, check=True, capture_output=True, text=True).stdout.split()
    configuration = kept / "sampler.json"
    where = {"lab": lab, "lab_pid": int(pid), "here": [*HERE, *places], "there": ON_THE_NAS}
    configuration.write_text(json.dumps({"spellings": spellings, **where}))
    began, watch = time.time() - SLACK, Watch(dict(spellings))
    sampler = subprocess.Popen(
        [sys.executable, "-m", "tests.leaks.sampler", str(configuration)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": "."},
    )  # fmt: skip
    assert sampler.stdout
    assert sampler.stdout.readline() == "looking\n"
    try:
        yield watch
    finally:
        report, _ = sampler.communicate()
    sampled = json.loads(report)
    watch.beat = sampled["seconds_a_look"]
    found = [(str(name), str(place)) for name, place in sampled["seen"]]
    found += files_here(began, watch.spellings, kept / "patterns")
    found += files_of_the_nas(nas, began, watch.spellings)
    found += told_by_the_engine(nas, began, watch.spellings)
    for hit in found:
        is_allowed = may_be(*hit) or but(*hit) or is_kept(kept, *hit)
        (watch.allowed if is_allowed else watch.leaks).append(hit)


def is_kept(kept: Path, name: str, place: str) -> bool:
    """Return whether the operator has the secret there, in a file that bears its name, or we what the sampler needs."""
    file = Path(place.removeprefix("file: "))
    return file.parent == kept and (file.name == "sampler.json" or name in file.stem.split("-"))
