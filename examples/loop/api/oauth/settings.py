"""What loop-auth reads from its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
HOUR = 3600
DAY = 24 * HOUR


@dataclass(frozen=True)
class Settings:
    """The settings; durations are in seconds."""

    issuer: str
    database: Path
    keys: Path
    access_token_life: int
    client_documents: bool

    @property
    def resource(self) -> str:
        """The one protected resource (RFC 8707): loop-api's MCP endpoint."""
        return f"{self.issuer}/mcp"

    @property
    def secure(self) -> bool:
        """Whether browsers reach the service over https; plain http is for tests on one machine."""
        return self.issuer.startswith("https:")

    @property
    def refresh_token_life(self) -> int:
        """Three access tokens long, at least 30 days; each use starts it anew."""
        return max(3 * self.access_token_life, 30 * DAY)


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings, or exit with a sentence that names the wrong variable."""
    return Settings(
        issuer=_issuer(_required(environment, "OAUTH_ISSUER")),
        database=Path(_required(environment, "OAUTH_DB_PATH")),
        keys=Path(_required(environment, "OAUTH_KEYS_DIR")),
        access_token_life=_hours(environment.get("TOKEN_EXPIRE_HOURS", "1")) * HOUR,
        client_documents=_switch(environment.get("OAUTH_CLIENT_ID_METADATA_DOCUMENTS", "off")),
    )


def _required(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise SystemExit(f"{name} is not set; set it in the container's environment.")
    return value


def _issuer(value: str) -> str:
    """Return the public URL: https, on loopback also http; a host and nothing behind it (RFC 8414, section 2)."""
    try:
        url = urlsplit(value)
        host, _ = url.hostname, url.port
    except ValueError:
        host = None
    if not host or value != f"{url.scheme}://{url.netloc}" or "@" in url.netloc or url.netloc != url.netloc.lower():
        raise SystemExit(f"OAUTH_ISSUER is {value}; set it to a URL without path or slash, like https://example.com.")
    if url.scheme != "https" and not (url.scheme == "http" and host in LOOPBACK):
        raise SystemExit(f"OAUTH_ISSUER is {value}; set it to an https URL, tokens must not travel in clear.")
    return value


def _hours(value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= 8760:
        raise SystemExit(f"TOKEN_EXPIRE_HOURS is {value}; set it to a whole number of hours from 1 to 8760.")
    return int(value)


def _switch(value: str) -> bool:
    if value not in ("on", "off"):
        raise SystemExit(f"OAUTH_CLIENT_ID_METADATA_DOCUMENTS is {value}; set it to on or off.")
    return value == "on"
