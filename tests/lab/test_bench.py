"""bench/services_lab.py, which measures both containers, works on the practice NAS."""

from __future__ import annotations

import re

from bench.services_lab import BOUNDS
from bench.services_lab import KINDS
from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import ROOT
from tests.lab.conftest import Nas
from tests.lab.conftest import command


def test_bench_measures_and_leaves_no_notes(nas: Nas) -> None:
    """A line for each kind of call and for each container; few calls, so that it takes seconds."""
    ended = command("python", "-m", "bench.services_lab", "--calls", "16", cwd=ROOT)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.findall(r"^(\w+) +16 calls  median", ended.stdout, re.MULTILINE) == KINDS
    assert re.findall(r"^(\S+) +[1-9]\d+ MiB resident", ended.stdout, re.MULTILINE) == list(BOUNDS)
    assert "bench" not in nas.run("ls", CHECKOUT).split()
