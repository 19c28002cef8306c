"""The signing keys of loop-auth: made on first start, kept for as long as their directory is."""

from __future__ import annotations

import os
from pathlib import Path

from joserfc.jwk import KeySet
from joserfc.jwk import RSAKey

BITS = 2048


def load_keys(directory: Path) -> KeySet:
    """Return the keys in ``directory``, a first one made when it holds none.

    The directory is 0700 and each key 0600, written under a temporary name first: a key is whole or not there.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    files = sorted(directory.glob("*.pem"))
    if not files:
        files = [_make_key(directory)]
    return KeySet([_read_key(file) for file in files])


def _make_key(directory: Path) -> Path:
    key = RSAKey.generate_key(BITS)
    file = directory / f"{key.thumbprint()}.pem"
    partial = file.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(key.as_pem(private=True))
    return partial.rename(file)


def _read_key(file: Path) -> RSAKey:
    return RSAKey.import_key(file.read_bytes(), {"kid": file.stem, "use": "sig", "alg": "RS256"})
