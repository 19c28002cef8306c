"""Where both services are met: the one thing that suites and clients need to be told."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Site:
    """A public URL, which is the issuer too, and the ``certificate`` to trust where no authority vouches for it."""

    url: str
    certificate: Path | None = None

    @property
    def trust(self) -> ssl.SSLContext | bool:
        """What an HTTP client verifies with: this certificate and no other."""
        return ssl.create_default_context(cafile=self.certificate) if self.certificate else True

    @property
    def variables(self) -> dict[str, str]:
        """What makes programs in Node and in Python trust the certificate."""
        names = ("NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")
        return dict.fromkeys(names, str(self.certificate)) if self.certificate else {}
