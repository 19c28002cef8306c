"""Tells clients where to sign in: protected resource metadata (RFC 9728)."""

from __future__ import annotations

from fastapi import APIRouter

from api.challenge import METADATA_PATH
from api.models.entities import ResourceMetadata
from api.scopes import ALL
from api.settings import Settings


def metadata_router(settings: Settings) -> APIRouter:
    """Return the metadata at the resource's own well-known path and at the root's, where some clients look first.

    The URLs are plain text: a URL type would put a slash behind the issuer, which then is another one.
    """
    router = APIRouter(tags=["metadata"])
    metadata = ResourceMetadata(
        resource=settings.resource,
        authorization_servers=[settings.issuer],
        scopes_supported=list(ALL),
        bearer_methods_supported=["header"],
        resource_name="LOOP vault",
    )

    @router.get(f"{METADATA_PATH}/mcp")
    @router.get(METADATA_PATH)
    def protected_resource() -> ResourceMetadata:
        """Name the server to sign in at."""
        return metadata

    return router
