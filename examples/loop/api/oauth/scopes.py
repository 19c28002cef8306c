"""The scopes of loop-api, and what each allows in words for the consent page."""

from __future__ import annotations

MEANING = {
    "vault:read": "Read, list and search the notes of your vault",
    "vault:write": "Create and change notes in your vault",
    "exec:read": "Read the executive vault, which is kept apart from the notes",
}

#: What a client gets that asks for nothing.
DEFAULT = "vault:read vault:write"

#: What some clients ask for a refresh token with; every client gets one.
OFFLINE = "offline_access"
ACCEPTED = [*MEANING, OFFLINE]


def granted_scope(scope: str | None) -> str:
    """Return the scopes of a request that mean something here, in a fixed order; the default when none does."""
    asked = (scope or "").split()
    return " ".join(name for name in MEANING if name in asked) or DEFAULT


def refreshed_scope(scope: str | None) -> str:
    """Return the scopes that a refresh asks for, each once; empty, it asks for all that was allowed."""
    return " ".join(dict.fromkeys(name for name in (scope or "").split() if name != OFFLINE))
