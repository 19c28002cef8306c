"""A practice NAS whose every secret is a sentinel, and a watch over what is done to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from tests.lab.conftest import LAB
from tests.lab.conftest import ROOT
from tests.lab.conftest import Nas
from tests.lab.conftest import Result
from tests.lab.conftest import command
from tests.leaks.search import files_here
from tests.leaks.search import files_of_the_nas
from tests.leaks.search import told_by_the_engine
from tests.leaks.sentinels import Sentinels


@dataclass
class Watch:
    """What was printed while it lasted, and, behind it, what leaked: the secret's name, and where."""

    outputs: list[str] = field(default_factory=list)
    leaks: list[tuple[str, str]] = field(default_factory=list)
    #: Seconds between two looks of the sampler.
    beat: float = 0

    def keep(self, result: Result) -> Result:
        """Keep what a command printed."""
        self.outputs.append(result.stdout + result.stderr)
        return result


@dataclass(frozen=True)
class Scene:
    """The practice NAS, its secrets, and the inventory that knows them."""

    nas: Nas
    secrets: Sentinels
    inventory: Path
    directory: Path

    @property
    def vault_password(self) -> Path:
        """The file with the vault password, which the operator keeps."""
        return self.directory / "vault-password"

    def options(self) -> list[str]:
        """Return how loopdeploy finds the inventory and opens its vault."""
        return ["-i", str(self.inventory), "--vault-password-file", str(self.vault_password)]

    def loopdeploy(self, *argv: str) -> Result:
        """Run ``loopdeploy`` on this NAS."""
        return command("loopdeploy", *self.options(), *argv)

    def ansible_playbook(self, *argv: str) -> Result:
        """Run ``ansible-playbook`` on this NAS, as somebody without loopdeploy does."""
        playbook = ROOT / "playbooks" / f"{argv[0]}.yml"
        return command("ansible-playbook", *self.options(), playbook, *argv[1:], cwd=ROOT)

    @contextmanager
    def watched(self) -> Iterator[Watch]:
        """Watch both machines, and search them afterwards."""
        spellings = self.secrets.spellings()
        patterns = self.directory / "patterns.json"
        patterns.write_text(json.dumps(spellings))
        lab = subprocess.run(
            ["docker", "inspect", "--format", "{{.Id}}", LAB], check=True, capture_output=True, text=True
        ).stdout.strip()
        began, watch = time.time(), Watch()
        sampler = subprocess.Popen(
            [sys.executable, "-m", "tests.leaks.sampler", str(patterns), lab],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": "."},
        )  # fmt: skip
        try:
            yield watch
        finally:
            report, _ = sampler.communicate()
        sampled = json.loads(report)
        watch.beat = sampled["seconds_a_look"]
        watch.leaks += [
            (name, f"{what}: {where}")
            for name, what, where in sampled["seen"]
            if not (what == "environment of a service" and name in ("openai", "anthropic"))
        ]
        printed = "\n".join(watch.outputs)
        watch.leaks += [(name, "output") for spelling, name in spellings.items() if spelling in printed]
        watch.leaks += files_here(began, spellings, but=self.directory)
        watch.leaks += files_of_the_nas(self.nas, began, spellings)
        watch.leaks += told_by_the_engine(self.nas, began, spellings)
