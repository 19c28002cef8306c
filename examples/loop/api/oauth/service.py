"""What the routes share: settings, keys, database and limits."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from anyio import CapacityLimiter
from starlette.requests import Request

from api.oauth.client_documents import ClientDocuments
from api.oauth.clients import Client
from api.oauth.clients import prune_clients
from api.oauth.database import Database
from api.oauth.database import DatabaseUnavailable
from api.oauth.grants import prune_grants
from api.oauth.key_files import KeyTrouble
from api.oauth.keys import KeyRing
from api.oauth.limits import Limit
from api.oauth.limits import SignInLimits
from api.oauth.provider import Provider
from api.oauth.settings import Settings
from api.oauth.users import prune_browsers

log = logging.getLogger("loop-auth")


class Service:
    """The one service of a process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database)
        self.keys = KeyRing(settings.keys, settings.access_token_life)
        self.documents = ClientDocuments()
        self.registrations = Limit(20, 3600)
        self.sign_ins = SignInLimits()
        # One password is hashed at a time: each takes 16 MiB and most of a processor.
        self.hashing = CapacityLimiter(1)

    @contextmanager
    def provider(self, *known: Client) -> Iterator[Provider]:
        """Give the rules of OAuth over one transaction."""
        with self.database.transaction() as connection:
            yield Provider(self.settings, self.keys, connection, known)

    def client_document(self, client_id: str, address: str | None = None) -> tuple[Client, ...]:
        """Return the client whose id is a URL, when such clients are allowed; raises DocumentError.

        Without an address nothing is fetched: /token and /revoke compare the id with what /authorize has kept.
        """
        if not self.settings.client_documents or not client_id.startswith("https://"):
            return ()
        return (Client(client_id, "", ()) if address is None else self.documents.client(client_id, address),)

    def maintain(self) -> None:
        """Prune the database and retire keys; what cannot be done now is done the next time."""
        try:
            with self.database.transaction() as connection:
                prune_browsers(connection)
                prune_grants(connection)
                prune_clients(connection, self.settings.refresh_token_life)
            self.keys.retire()
        except (DatabaseUnavailable, KeyTrouble, OSError) as error:
            log.error("%s", error)


def service_of(request: Request) -> Service:
    """Return the service that a request came to."""
    service: Service = request.app.state.service
    return service
