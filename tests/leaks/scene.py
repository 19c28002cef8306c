"""A practice NAS whose every secret is a sentinel, and the operator who has them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from loopdeploy.vault_file import close_vault
from tests.lab.conftest import ROOT
from tests.lab.conftest import Nas
from tests.lab.conftest import Result
from tests.lab.conftest import command
from tests.leaks.places import ON_THE_NAS
from tests.leaks.sentinels import Sentinels
from tests.leaks.watch import Watch
from tests.leaks.watch import watching

# So that the vault password is asked for, whatever this machine's keyring has.
NO_KEYRING = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}


def nothing_else(name: str, place: str) -> bool:
    """Allow no place beside those of every run."""
    return False


@dataclass(frozen=True)
class Scene:
    """The practice NAS, its secrets, and the directory of the operator."""

    nas: Nas
    secrets: Sentinels
    directory: Path

    @property
    def inventory(self) -> Path:
        """The inventory whose vault has the secrets."""
        return self.directory / "inventory"

    @property
    def vault(self) -> Path:
        """The inventory's vault."""
        return self.inventory / "group_vars" / "loop" / "vault.yml"

    @property
    def home(self) -> Path:
        """A home directory for the runs that write into it."""
        return self.directory / "home"

    @property
    def own(self) -> Path:
        """Where the operator keeps files of his own, and we what we look for."""
        return self.directory / "kept"

    def kept(self, *words: str, text: str | None = None) -> Path:
        """Return a file that the operator keeps himself, named after the secret that it has, or ``text`` with it."""
        file = self.own / "-".join(words)
        file.touch(0o600)
        file.write_text(f"{text or getattr(self.secrets, words[0])}\n")
        return file

    def options(self) -> list[str]:
        """Return how loopdeploy finds the inventory and opens its vault."""
        return ["-i", str(self.inventory), "--vault-password-file", str(self.kept("vault"))]

    def loopdeploy(
        self, *argv: str | Path, stdin: str | None = None, environment: dict[str, str] | None = None
    ) -> Result:
        """Run ``loopdeploy`` on this NAS; what is given behind these options wins."""
        return command("loopdeploy", *self.options(), *argv, stdin=stdin, environment=environment)

    def ansible_playbook(self, *argv: str) -> Result:
        """Run ``ansible-playbook`` on this NAS, as somebody without loopdeploy does."""
        playbook = ROOT / "playbooks" / f"{argv[0]}.yml"
        return command("ansible-playbook", *self.options(), playbook, *argv[1:], cwd=ROOT)

    def watched(self, but: Callable[[str, str], bool] = nothing_else) -> AbstractContextManager[Watch]:
        """Watch both machines, and search them afterwards; ``but`` tells where else a secret may be."""
        self.log_out()
        places = [(self.vault.parent, "*"), (self.home / ".ansible" / "tmp", "*"), (self.directory, "*")]
        return watching(
            self.nas,
            self.secrets.spellings(),
            self.own,
            [(str(directory), pattern) for directory, pattern in places],
            but,
        )

    def log_out(self) -> None:
        """End the connections that are kept: over one of them no password is given."""
        for socket in [*self.directory.glob("cp/*"), *self.home.glob(".ansible/cp/*")]:
            subprocess.run(
                ["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "nas"], check=False, capture_output=True
            )

    def remove_modules(self) -> None:
        """Remove the modules that Ansible was told to leave on the NAS."""
        directories = " ".join(f"{directory}/ansible-tmp-*" for directory, _ in ON_THE_NAS)
        self.nas.run("sh", "-c", f"rm -rf {directories}")

    @contextmanager
    def variables(self, **variables: object) -> Iterator[None]:
        """Let the NAS have other variables for a while, encrypted as the vault is."""
        file = self.inventory / "host_vars" / "lab" / "zzz.yml"
        close_vault(file, yaml.safe_dump(variables), self.secrets.vault.encode())
        try:
            yield
        finally:
            file.unlink()
