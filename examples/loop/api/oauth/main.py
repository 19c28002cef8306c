"""loop-auth: serves the public halves of its signing keys (RFC 7517)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from api.oauth.keys import load_keys

app = FastAPI(title="loop-auth")
keys = load_keys(Path(os.environ["OAUTH_KEYS_DIR"]))


@app.get("/health")
def health() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok", "service": "loop-auth"}


@app.get("/.well-known/jwks.json")
def jwks() -> dict[str, Any]:
    """Return the public keys with which loop-auth's tokens are verified."""
    return dict(keys.as_dict(private=False))
