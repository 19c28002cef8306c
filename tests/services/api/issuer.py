"""Stands for loop-auth: signs tokens and serves their keys, or fails at it in a way that a test chooses."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

ISSUER = "https://mcp.example.com"
RESOURCE = f"{ISSUER}/mcp"
EVERY_SCOPE = "vault:read vault:write exec:read"


def new_key(kid: str, bits: int = 2048) -> RSAKey:
    """Return a signing key."""
    return RSAKey.generate_key(bits, {"kid": kid, "use": "sig", "alg": "RS256"})


def public(key: RSAKey) -> dict[str, Any]:
    """Return the half of ``key`` that a JWKS shows."""
    return dict(key.as_dict(private=False))


def claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a good token with ``changes``; a claim changed to None is left out."""
    now = int(time.time())
    good: dict[str, Any] = {
        "iss": ISSUER,
        "aud": RESOURCE,
        "sub": "user-1",
        "client_id": "client-1",
        "scope": "vault:read vault:write",
        "iat": now,
        "exp": now + 600,
        "jti": "token-1",
    }
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


class Issuer:
    """A JWKS on a port of its own; ``body`` and ``status`` are its answer, after ``delay`` seconds."""

    def __init__(self) -> None:
        self.key = new_key("key-1")
        self.fetches = 0
        self.status = 200
        self.delay = 0.0
        self.body = b""
        self.show(self.key)
        self.port = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where the JWKS is."""
        return f"http://127.0.0.1:{self.port}/.well-known/jwks.json"

    def show(self, *keys: RSAKey) -> None:
        """Serve the public halves of ``keys``."""
        self.body = json.dumps({"keys": [public(key) for key in keys]}).encode()

    def token(self, scope: str = "vault:read vault:write", **changes: Any) -> str:
        """Return a token with ``changes`` to its claims."""
        return self.sign(claims(scope=scope, **changes))

    def sign(self, payload: dict[str, Any], key: RSAKey | None = None, **header: Any) -> str:
        """Return ``payload`` signed; ``header`` changes the header, and None there leaves out."""
        key = key or self.key
        full = {"alg": "RS256", "typ": "at+jwt", "kid": key.kid, **header}
        kept = {name: value for name, value in full.items() if value is not None}
        return jwt.encode(kept, payload, key, default_type=None)

    def start(self) -> None:
        """Listen, on the same port as before when there was one."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler())
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Refuse connections, as a stopped container does."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetches += 1
                time.sleep(issuer.delay)
                self.send_response(issuer.status)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.send_header("Content-Length", str(len(issuer.body)))
                self.end_headers()
                self.wfile.write(issuer.body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        return Handler
