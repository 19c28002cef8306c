"""Secrets: how they are made, and the hashes that are kept of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import unicodedata

#: scrypt with 16 MiB and five passes, one of OWASP's equal choices; it fits beside the service into 100 MiB.
N, R, P = 2**14, 8, 5

#: Compared against when there is no such user, so that the answer takes as long. No password has this hash.
NOBODY = f"scrypt${N}${R}${P}$AAAAAAAAAAAAAAAAAAAAAA==$"

#: The least length of a password, in characters.
SHORTEST = 12
#: The greatest.
LONGEST = 1024


def new_secret() -> str:
    """Return 256 random bits in URL-safe characters, none of them a dot."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Return what is stored of a random secret. Its 256 bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def hash_password(password: str) -> str:
    """Return a salted scrypt hash with its parameters."""
    salt = secrets.token_bytes(16)
    return f"scrypt${N}${R}${P}${base64.b64encode(salt).decode()}${_scrypt(password, salt, N, R, P)}"


def check_password(password: str, stored: str) -> bool:
    """Tell whether ``password`` has the hash ``stored``."""
    _, n, r, p, salt, expected = stored.split("$")
    return same(_scrypt(password, base64.b64decode(salt), int(n), int(r), int(p)), expected)


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> str:
    # Keyboards differ in how they compose accents (RFC 8265, section 4.2.2).
    text = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    return base64.b64encode(hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=2**26)).decode()
