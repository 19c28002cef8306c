"""The signing keys: published before they sign, kept as public keys for as long as their tokens live.

A file name says all there is to know: ``<signs from, seconds of the epoch>.<kid>.pem`` is a private key and
``….pub`` the public half of one that signs no more. ``<kid>.pem`` is a key of the first loop-auth, which signed at
once. Files are made and removed whole, so a running service and ``loop-auth keys rotate`` never see half a rotation.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from joserfc.jwk import RSAKey

log = logging.getLogger("loop-auth")

BITS = 2048

#: How long a new key is published before it signs, in seconds: loop-api asks for the keys every five minutes.
HEAD_START = 900
#: How long a public key is kept after its last token has expired, in seconds: for clocks that differ.
SKEW = 300


class KeyTrouble(Exception):
    """The keys cannot be used; the message says why and what to type."""


@dataclass(frozen=True, order=True)
class KeyFile:
    """A key by its file name."""

    signs_from: int
    kid: str
    path: Path

    @property
    def private(self) -> bool:
        """Whether it can sign."""
        return self.path.suffix == ".pem"


class KeyRing:
    """The keys in ``directory`` as they are now; looks at the directory again each second at most."""

    def __init__(self, directory: Path, token_life: int) -> None:
        self.directory = directory
        self.token_life = token_life
        self._lock = threading.Lock()
        self._looked = 0.0
        self._files: list[KeyFile] = []
        self._keys: dict[Path, RSAKey] = {}
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
        self._refresh()
        file = signing_file(self._files)
        return self._keys[file.path]

    def public_keys(self) -> dict[str, list[dict[str, object]]]:
        """Return the public halves of all keys, also of those that sign later or no more (RFC 7517)."""
        self._refresh()
        return {"keys": [dict(self._keys[file.path].as_dict(private=False)) for file in self._files]}

    def check(self) -> str:
        """Return ``ok`` or ``unavailable``."""
        self._refresh()
        return self.trouble or "ok"

    def retire(self) -> None:
        """Take the private half from keys that sign no more, and drop those whose tokens have all expired."""
        now = int(time.time())
        for file, ended in ended_keys(list_keys(self.directory), now):
            if ended + self.token_life + SKEW <= now:
                file.path.unlink(missing_ok=True)
                log.info("The key %s is dropped: its last token has expired.", file.kid)
            elif file.private:
                _keep_public(file)
                log.info("The key %s signs no more: its private half is removed.", file.kid)

    def _refresh(self) -> None:
        with self._lock:
            if time.monotonic() - self._looked < 1:
                return
            self._looked = time.monotonic()
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
        self._keys = {file.path: self._keys.get(file.path) or _read(file) for file in files}
        self._files = files


def list_keys(directory: Path) -> list[KeyFile]:
    """Return the keys in ``directory``, the oldest first, or raise KeyTrouble for one that others may read."""
    files = [_key_file(path) for path in directory.iterdir() if path.suffix in (".pem", ".pub")]
    # A rotation that was interrupted leaves both halves of a key; the private one says it all.
    private = {file.kid for file in files if file.private}
    files = [file for file in files if file.private or file.kid not in private]
    check_modes(directory, [file.path for file in files if file.private])
    return sorted(files)


def check_modes(directory: Path, private: list[Path]) -> None:
    """Raise KeyTrouble when others than the owner may read a key: it may be copied already, so none is mended here."""
    if not private:
        return
    if stat.S_IMODE(directory.stat().st_mode) & 0o077:
        raise KeyTrouble(f"Others may open {directory}; close it with: chmod 700 {directory}")
    for path in private:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise KeyTrouble(f"Others may read the signing key {path}; close it with: chmod 600 {path}")


def signing_file(files: list[KeyFile], now: float | None = None) -> KeyFile:
    """Return the newest key whose time has come; the first one while that of none has."""
    now = time.time() if now is None else now
    private = [file for file in files if file.private]
    return max((file for file in private if file.signs_from <= now), default=private[0])


def ended_keys(files: list[KeyFile], now: float) -> list[tuple[KeyFile, int]]:
    """Return the keys that sign no more, each with the second at which the next one took over."""
    started = [file for file in files if file.signs_from <= now]
    return [(file, after.signs_from) for file, after in zip(started, started[1:], strict=False)]


def make_key(directory: Path, signs_from: int) -> KeyFile:
    """Write a new key that signs from ``signs_from``, whole or not at all, and return it."""
    key = RSAKey.generate_key(BITS)
    path = directory / f"{signs_from}.{key.thumbprint()}.pem"
    _write(path, key.as_pem(private=True))
    return _key_file(path)


def rotate(directory: Path, head_start: int = HEAD_START) -> KeyFile:
    """Publish a new key that signs after ``head_start`` seconds, or raise KeyTrouble while another one waits."""
    now = int(time.time())
    if any(file.signs_from > now for file in list_keys(directory)):
        raise KeyTrouble("A new key waits already for its time; see: loop-auth keys list")
    return make_key(directory, now + head_start)


def replace_all(directory: Path) -> KeyFile:
    """Make a new key that signs at once and drop every other: all access tokens given so far are refused."""
    old = list_keys(directory)
    new = make_key(directory, int(time.time()))
    for file in old:
        file.path.unlink()
    return new


def _key_file(path: Path) -> KeyFile:
    signs_from, dot, kid = path.stem.partition(".")
    if dot and signs_from.isdigit():
        return KeyFile(int(signs_from), kid, path)
    return KeyFile(0, path.stem, path)


def _keep_public(file: KeyFile) -> None:
    path = file.path.with_name(f"{file.signs_from}.{file.kid}.pub")
    path.unlink(missing_ok=True)
    _write(path, _read(file).as_pem(private=False))
    file.path.unlink()


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        # A directory of a NAS with an access list gives a new file its own mode; nothing is in it yet.
        os.fchmod(stream.fileno(), 0o600)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    partial.rename(path)


def _read(file: KeyFile) -> RSAKey:
    try:
        return RSAKey.import_key(file.path.read_bytes(), {"kid": file.kid, "use": "sig", "alg": "RS256"})
    except ValueError as error:
        raise KeyTrouble(f"{file.path} is no RSA key; restore it from a backup.") from error


def _explain(directory: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"The keys in {directory} cannot be used ({error.strerror}); look at that directory."
    return str(error)
