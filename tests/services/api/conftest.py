"""loop-api over real HTTP, beside an issuer that the tests control."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.api.issuer import EVERY_SCOPE
from tests.services.api.issuer import Issuer
from tests.services.api.service import Client
from tests.services.api.service import Service


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """Return an issuer that works, for all tests; one that breaks it takes own_issuer."""
    issuer = Issuer()
    issuer.start()
    yield issuer
    issuer.stop()


@pytest.fixture
def own_issuer() -> Iterator[Issuer]:
    """Return an issuer to be broken; it is not started."""
    issuer = Issuer()
    issuer.start()
    yield issuer
    issuer.stop()


@pytest.fixture(scope="session")
def service(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return a running loop-api over a vault that all tests share; each uses a folder of its own."""
    service = Service(tmp_path_factory.mktemp("api"), issuer.url)
    (service.vault / "README.md").write_text("# The vault\n\nPractise here.\n")
    service.start()
    yield service
    service.stop()


@pytest.fixture
def own_service(own_issuer: Issuer, tmp_path: Path) -> Iterator[Service]:
    """Return a loop-api to be broken; it is not started."""
    service = Service(tmp_path, own_issuer.url)
    (service.vault / "README.md").write_text("# The vault\n\nPractise here.\n")
    yield service
    service.stop()


@pytest.fixture(scope="session")
def client(service: Service, issuer: Issuer) -> Iterator[Client]:
    """Return a client with the scopes that are given by default."""
    with service.client(issuer.token()) as client:
        yield client


@pytest.fixture(scope="session")
def trusted(service: Service, issuer: Issuer) -> Iterator[Client]:
    """Return a client with every scope."""
    with service.client(issuer.token(EVERY_SCOPE)) as client:
        yield client


@pytest.fixture
def folder(service: Service, request: pytest.FixtureRequest) -> Path:
    """Return a folder of the vault for this test alone."""
    path = service.vault / re.sub(r"\W", "-", str(request.node.name))[:80]
    path.mkdir()
    return path
