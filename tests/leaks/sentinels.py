"""Secrets that are met nowhere else, and what they look like where they leak."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from dataclasses import field


def sentinel(name: str) -> str:
    """Return a secret that is met nowhere else."""
    return f"{name}-{secrets.token_hex(12)}"


@dataclass(frozen=True)
class Sentinels:
    """One of each secret that loopdeploy knows or passes by; ``rsa`` is a line of loop-auth's private key."""

    rsa: str
    ssh: str = field(default_factory=lambda: sentinel("ssh"))
    sudo: str = field(default_factory=lambda: sentinel("sudo"))
    vault: str = field(default_factory=lambda: sentinel("vault"))
    openai: str = field(default_factory=lambda: sentinel("openai"))
    anthropic: str = field(default_factory=lambda: sentinel("anthropic"))

    def spellings(self) -> dict[str, str]:
        """Return what to search for, with the secret's name: itself, and itself inside of something in Base64."""
        found = {spelling: name for name, secret in vars(self).items() for spelling in spelt(secret.encode())}
        # The line is itself Base64, of what stands elsewhere in another place: in a key without the PEM around it.
        return found | dict.fromkeys(encoded(base64.b64decode(self.rsa)), "rsa")


def spelt(secret: bytes) -> list[str]:
    """Return a secret as it is, and in Base64."""
    return [secret.decode(), *encoded(secret)]


def encoded(secret: bytes) -> list[str]:
    """Return what is always in the Base64 of a text that holds the secret, at any of three offsets; in URLs, too."""
    plain = [_inside(offset, secret) for offset in range(3)]
    return sorted({*plain, *(text.translate(str.maketrans("+/", "-_")) for text in plain)})


def _inside(offset: int, secret: bytes) -> str:
    text = base64.b64encode(b"\0" * offset + secret).decode().rstrip("=")
    # The first and the last characters depend on the neighbours, too.
    return text[(0, 2, 3)[offset] : -1]
