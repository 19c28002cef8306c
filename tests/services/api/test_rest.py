"""The REST API: what its document promises, and what it does besides the tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.api.issuer import EVERY_SCOPE
from tests.services.api.issuer import ISSUER
from tests.services.api.issuer import Issuer
from tests.services.api.service import Client
from tests.services.api.service import Service
from tests.services.fuzzing import fuzz_vault
from tests.services.site import Site


def test_schemathesis_finds_nothing(own_service: Service, own_issuer: Issuer, tmp_path: Path) -> None:
    """Whatever it sends, the answers are those that the OpenAPI document names; and no traceback in the log."""
    own_service.start()
    fuzz_vault(Site(own_service.url), own_issuer.token(EVERY_SCOPE), tmp_path)
    assert "Traceback" not in own_service.log.read_text()


def test_document_names_the_scopes(service: Service) -> None:
    """Where to sign in and for what, so that a generated client can."""
    with service.client() as client:
        document = client.get("/openapi.json").json()
    ((name, scheme),) = document["components"]["securitySchemes"].items()
    flow = scheme["flows"]["authorizationCode"]
    assert flow["authorizationUrl"] == f"{ISSUER}/authorize" and flow["tokenUrl"] == f"{ISSUER}/token"
    assert set(flow["scopes"]) == set(EVERY_SCOPE.split())
    assert document["paths"]["/api/notes/{path}"]["put"]["security"] == [{name: ["vault:write"]}]
    assert {"Note", "NoteList", "SearchResults", "Written", "Problem"} <= set(document["components"]["schemas"])


def test_note_lives_through_rest(client: Client, folder: Path) -> None:
    """Made with 201, replaced with 200, kept from a second writer with 409, listed, found and read."""
    path = f"{folder.name}/s\u00fcd/a b+c%20#1?.md"
    url = "/api/notes/" + "".join(f"%{byte:02X}" for byte in path.encode())
    made = client.put(url, json={"text": "# Kumquat"})
    assert made.status_code == 201 and made.json()["path"] == path
    again = client.put(url, json={"text": "# Kumquat two", "version": made.json()["version"]})
    assert again.status_code == 200 and not again.json()["created"]
    late = client.put(url, json={"text": "# Lost", "version": made.json()["version"]})
    assert late.status_code == 409 and late.json()["error"] == "conflict"
    note = client.get(url).json()
    assert (note["title"], note["text"], note["version"]) == ("Kumquat two", "# Kumquat two", again.json()["version"])
    (result,) = client.get("/api/search", params={"q": "kumquat"}).json()["results"]
    assert result["id"] == path and client.get(result["url"].split("example.com")[1]).json() == note
    listed = client.get("/api/notes", params={"folder": folder.name}).json()["notes"]
    assert [entry["path"] for entry in listed] == [path]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'{"text": 7}', b'{"txt": "x"}', b'{"text": "x", "more": 1}', b"\xff", b"[" * 9000],
)
def test_wrong_body_is_explained(client: Client, service: Service, body: bytes) -> None:
    """In the shape of every other problem, without repeating what was sent."""
    response = client.put("/api/notes/body.md", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code in (400, 422)
    assert set(response.json()) == {"error", "error_description"}
    assert not (service.vault / "body.md").exists()
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize("path", ["/api/notes/missing.md", "/api/nothing"])
def test_what_is_not_there_is_404(client: Client, path: str) -> None:
    """In the same shape."""
    response = client.get(path)
    assert response.status_code == 404
    assert set(response.json()) == {"error", "error_description"}


def test_other_methods_are_405(client: Client) -> None:
    """With the methods that there are."""
    response = client.delete("/api/notes/README.md")
    assert response.status_code == 405 and response.headers["allow"] == "GET, PUT"
