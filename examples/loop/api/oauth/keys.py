"""The signing keys in use: published before they sign, kept as public keys for as long as their tokens live."""

from __future__ import annotations

import logging
import stat
import threading
import time
from pathlib import Path

from joserfc.jwk import RSAKey

from api.oauth.key_files import KeyFile
from api.oauth.key_files import KeyTrouble
from api.oauth.key_files import ended_keys
from api.oauth.key_files import keep_public
from api.oauth.key_files import list_keys
from api.oauth.key_files import make_key
from api.oauth.key_files import read_key
from api.oauth.key_files import signing_file

log = logging.getLogger("loop-auth")

#: How long a public key is kept after its last token has expired, in seconds: for clocks that differ.
SKEW = 300


class KeyRing:
    """The keys in ``directory`` as they are now; looks at the directory again each second at most."""

    def __init__(self, directory: Path, token_life: int) -> None:
        self.directory = directory
        self.token_life = token_life
        self._lock = threading.Lock()
        self._looked = 0.0
        # Replaced as a whole, so that a thread always reads keys that belong together.
        self._keys: dict[KeyFile, RSAKey] = {}
        self.trouble = ""

    def prepare(self) -> None:
        """Make the directory and a first key where there is none, or raise KeyTrouble."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            # A checkout by git cannot carry 0700, so the directory is made so. Its keys are not: see check_modes.
            if stat.S_IMODE(self.directory.stat().st_mode) != 0o700:
                self.directory.chmod(0o700)
            if not list_keys(self.directory):
                make_key(self.directory, signs_from=0)
            self._load()
        except OSError as error:
            raise KeyTrouble(_explain(self.directory, error)) from error

    def signing_key(self) -> RSAKey:
        """Return the key that signs now."""
        keys = self._refreshed()
        return keys[signing_file(list(keys))]

    def public_keys(self) -> dict[str, list[dict[str, object]]]:
        """Return the public halves of all keys, also of those that sign later or no more (RFC 7517)."""
        return {"keys": [dict(key.as_dict(private=False)) for key in self._refreshed().values()]}

    def check(self) -> str:
        """Return ``ok`` or ``unavailable``."""
        self._refreshed()
        return self.trouble or "ok"

    def retire(self) -> None:
        """Take the private half from keys that sign no more, and drop those whose tokens have all expired."""
        now = int(time.time())
        for file, ended in ended_keys(list_keys(self.directory), now):
            if ended + self.token_life + SKEW <= now:
                file.path.unlink(missing_ok=True)
                log.info("The key %s is dropped: its last token has expired.", file.kid)
            elif file.private:
                keep_public(file)
                log.info("The key %s signs no more: its private half is removed.", file.kid)

    def _refreshed(self) -> dict[KeyFile, RSAKey]:
        with self._lock:
            if time.monotonic() - self._looked >= 1:
                self._looked = time.monotonic()
                self._look()
            return self._keys

    def _look(self) -> None:
        try:
            self._load()
            self.trouble = ""
        except (KeyTrouble, OSError) as error:
            # What was read before is as good as ever; a disk that is away must not sign everyone out.
            if not self.trouble:
                log.error("%s The keys read before stay in use.", _explain(self.directory, error))
            self.trouble = "unavailable"

    def _load(self) -> None:
        files = list_keys(self.directory)
        if not any(file.private for file in files):
            raise KeyTrouble(f"{self.directory} holds no signing key; restore it from a backup.")
        self._keys = {file: self._keys.get(file) or read_key(file) for file in files}


def _explain(directory: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"The keys in {directory} cannot be used ({error.strerror}); look at that directory."
    return str(error)
