"""The scopes of loop-api, and what each allows in words for the consent page."""

from __future__ import annotations

MEANING = {
    "vault:read": "Read, list and search the notes of your vault",
    "vault:write": "Create and change notes in your vault",
    "exec:read": "Read the executive vault, which is kept apart from the notes",
}

#: What a client gets that asks for nothing.
DEFAULT = "vault:read vault:write"

#: ``offline_access`` is what some clients ask for a refresh token with; every client gets one.
ACCEPTED = [*MEANING, "offline_access"]


def granted_scope(scope: str | None) -> str:
    """Return the scopes of a request that mean something here, in a fixed order; the default when none does."""
    asked = (scope or "").split()
    return " ".join(name for name in MEANING if name in asked) or DEFAULT
