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
from tests.leaks.figures import Figures
from tests.leaks.figures import figures
from tests.leaks.places import HERE
from tests.leaks.places import ON_THE_NAS
from tests.leaks.search import files_here
from tests.leaks.search import files_of_the_nas
from tests.leaks.search import told_by_the_engine
from tests.leaks.temporary import Places

# The clock that stamps files is some milliseconds behind.
SLACK = 1.0
# Of every watch so far, for the test report.
FIGURES: list[Figures] = []


@dataclass
class Watch:
    """What was printed while it lasted, and, behind it, what leaked: the secret's name, and where."""

    #: What a secret is spelt like, and its name; one that is made meanwhile may be added.
    spellings: dict[str, str]
    leaks: list[Found] = field(default_factory=list)
    #: What is where it may be.
    allowed: list[Found] = field(default_factory=list)
    #: Why processes are not traced, where the kernel refuses that.
    refused: str = ""

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
    sampler, tracers, watch.refused = _looking(configuration)
    try:
        yield watch
    finally:
        reports = [json.loads(process.communicate()[0]) for process in (*tracers, sampler)]
    FIGURES.append(figures(watch.refused, reports[-1], reports[:-1]))
    found = [(str(name), str(place)) for report in reports for name, place in report["seen"]]
    found += files_here(began, watch.spellings, kept / "patterns")
    found += files_of_the_nas(nas, began, watch.spellings)
    found += told_by_the_engine(nas, began, watch.spellings)
    for hit in found:
        is_allowed = may_be(*hit) or but(*hit) or is_kept(kept, *hit)
        (watch.allowed if is_allowed else watch.leaks).append(hit)
    FIGURES[-1].require()


def _looking(configuration: Path) -> tuple[subprocess.Popen[str], list[subprocess.Popen[str]], str]:
    """Start the sampler, and a tracer a processor; without tracers, return why they are refused."""
    sampler, refused = _started("sampler", str(configuration))
    assert not refused
    tracers = [_started("tracer", str(configuration), str(processor)) for processor in range(os.cpu_count() or 1)]
    refused = next((why for _, why in tracers if why), "")
    if refused:
        for tracer, _ in tracers:
            tracer.communicate()
    return sampler, [] if refused else [tracer for tracer, _ in tracers], refused


def _started(module: str, *argv: str) -> tuple[subprocess.Popen[str], str]:
    """Return a process that looks, and why it does not."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.leaks.{module}", *argv],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": "."},
        # Else Ctrl-C ends it, too, and the tests go on behind its missing report.
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout
    first = process.stdout.readline().strip()
    assert first == "looking" or first.startswith("refused: "), first
    return process, first.removeprefix("looking").removeprefix("refused: ")


def is_kept(kept: Path, name: str, place: str) -> bool:
    """Return whether the operator has the secret there, in a file that bears its name, or we what the sampler needs."""
    file = Path(place.removeprefix("file: "))
    return file.parent == kept and (file.name == "sampler.json" or name in file.stem.split("-"))
