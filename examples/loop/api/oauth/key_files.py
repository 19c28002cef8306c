"""The files of the signing keys.

A file name says all there is to know: ``<signs from, seconds of the epoch>.<kid>.pem`` is a private key and
``….pub`` the public half of one that signs no more. ``<kid>.pem`` is a key of the first loop-auth, which signed at
once. Files are made and removed whole, so a running service and ``loop-auth keys rotate`` never see half a rotation.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from joserfc.jwk import RSAKey

BITS = 2048

#: How long a new key is published before it signs, in seconds: loop-api asks for the keys every five minutes.
HEAD_START = 900


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


def keep_public(file: KeyFile) -> None:
    """Remove the private half of a key."""
    path = file.path.with_name(f"{file.signs_from}.{file.kid}.pub")
    path.unlink(missing_ok=True)
    _write(path, read_key(file).as_pem(private=False))
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


def read_key(file: KeyFile) -> RSAKey:
    """Return the key, or raise KeyTrouble."""
    try:
        return RSAKey.import_key(file.path.read_bytes(), {"kid": file.kid, "use": "sig", "alg": "RS256"})
    except ValueError as error:
        raise KeyTrouble(f"{file.path} is no RSA key; restore it from a backup.") from error
