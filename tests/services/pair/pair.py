"""Both services as processes of their own, and the proxy that makes them one host."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from tests.services.api.service import Client
from tests.services.api.service import Service
from tests.services.auth.conftest import Auth
from tests.services.auth.conftest import free_port
from tests.services.proxy import Proxy

OF_AUTH = ("/.well-known/oauth-authorization-server", "/.well-known/jwks.json", "/token", "/register", "/revoke")


class Pair:
    """loop-auth and loop-api below one URL; as on the NAS, loop-auth's directory lies in loop-api's vault."""

    def __init__(self, directory: Path):
        self._proxy = Proxy(self._port)
        self._stack = ExitStack()
        port = free_port()
        jwks_url = f"http://127.0.0.1:{port}/.well-known/jwks.json"
        self.api = Service(directory, jwks_url, issuer=self.url)
        oauth = self.api.vault / "api" / "oauth"
        oauth.mkdir(parents=True)
        (self.api.vault / "README.md").write_text("# The vault\n\nPractise here.\n")
        (self.api.exec_vault / "plan.md").write_text("# The plan\n\nConfidential zeppelins.\n")
        self.auth = Auth(oauth, self.url, port)

    @property
    def url(self) -> str:
        """The public URL, which is the issuer too."""
        return self._proxy.url

    def __enter__(self) -> Pair:
        self._stack.enter_context(self._proxy)
        self._stack.callback(self._stop)
        self.auth.start()
        self.api.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def client(self, token: str) -> Client:
        """Return a client of loop-api with ``token``."""
        return Client(self.url, token)

    def restart_api(self) -> None:
        """Stop and start loop-api, as ``rebuild`` does."""
        self.api.stop()
        self.api.start()

    def restart_auth(self) -> None:
        """Stop and start loop-auth."""
        self.auth.stop()
        self.auth.start()

    def restart_both(self) -> None:
        """Stop both and start both, as ``rebuild-all`` does."""
        self.api.stop()
        self.restart_auth()
        self.api.start()

    def _port(self, path: str) -> int:
        of_auth = path in OF_AUTH or path == "/authorize" or path.startswith("/authorize/")
        return self.auth.port if of_auth else self.api.port

    def _stop(self) -> None:
        self.api.stop()
        if self.auth.process is not None:
            self.auth.stop()
