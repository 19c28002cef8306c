"""Where loop-api finds its vault, its issuer and the issuer's keys: all from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit


class SettingsError(ValueError):
    """A variable is missing or wrong; the message says which and what it should be."""


@dataclass(frozen=True)
class Settings:
    """The environment, checked.

    ``jwks_file`` lies outside the vault: whoever can write a note, or push a commit, could else plant a key.
    """

    vault: Path
    exec_vault: Path
    issuer: str
    jwks_url: str
    jwks_file: Path

    @property
    def resource(self) -> str:
        """The canonical URL of the MCP server: what tokens must be issued for (RFC 8707)."""
        return f"{self.issuer}/mcp"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Settings:
        """Return the settings in ``environ``; raises SettingsError for the first variable that is wrong."""
        vault = _directory(environ, "VAULT_DIR")
        exec_vault = _directory(environ, "EXEC_VAULT_DIR")
        if vault not in exec_vault.parents:
            raise SettingsError(f"EXEC_VAULT_DIR must lie inside VAULT_DIR ({vault}), not at {exec_vault}.")
        return cls(
            vault=vault,
            exec_vault=exec_vault,
            issuer=_url(environ, "OAUTH_ISSUER"),
            jwks_url=_url(environ, "JWKS_URL"),
            jwks_file=Path(environ.get("JWKS_FILE", "/var/lib/loop-api/jwks.json")),
        )


def _directory(environ: Mapping[str, str], name: str) -> Path:
    path = Path(environ.get(name, ""))
    if not path.is_absolute() or ".." in path.parts:
        raise SettingsError(f"Set {name} to an absolute path.")
    return path


def _url(environ: Mapping[str, str], name: str) -> str:
    """Return the URL in ``name``; a final slash would make it another issuer (RFC 8414 section 3.3)."""
    value = environ.get(name, "")
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or value.endswith("/"):
        raise SettingsError(f"Set {name} to an http(s) URL without a final slash.")
    return value
