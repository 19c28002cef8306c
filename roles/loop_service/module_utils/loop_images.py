"""The images of the releases: which there are, and which nobody needs."""

from __future__ import annotations

import re
from urllib.parse import quote

from ansible.module_utils.loop_engine import Engine
from ansible.module_utils.loop_problem import Problem

# What loopdeploy calls a release: its time in UTC, and the source's revision.
RELEASE = re.compile(r"\d{8}T\d{6}Z-[0-9a-z]+$")


def releases(engine: Engine, repository: str) -> dict[str, str]:
    """Return the image id of each release of ``repository`` by its name with tag, the newest first."""
    images = engine.get("/images/json") or []
    found = {name: str(image["Id"]) for image in images for name in image["RepoTags"] or []}
    ours = [name for name in found if name.startswith(f"{repository}:") and RELEASE.match(name.rpartition(":")[2])]
    return {name: found[name] for name in sorted(ours, reverse=True)}


def image_id(engine: Engine, name: str) -> str:
    """Return the id of the image with this name or id, or raise a Problem when there is none."""
    image = engine.get(f"/images/{quote(name)}/json")
    if image is None:
        raise Problem(f"There is no image {name} on this NAS: build it with `loopdeploy rebuild`; nothing was touched.")
    return str(image["Id"])


def require(engine: Engine, repository: str, release: str) -> None:
    """Raise a Problem unless the image of ``release`` is there."""
    known = [name.rpartition(":")[2] for name in releases(engine, repository)]
    if release not in known:
        raise Problem(
            f"There is no release {release} of {repository} on this NAS; there are: {', '.join(known) or 'none'}."
        )


def prune(engine: Engine, repository: str, keep: int, check_mode: bool) -> list[str]:
    """Remove all but the newest ``keep`` releases and what containers use, and return the names of what went."""
    containers = engine.get("/containers/json?all=1") or []
    used = {container["ImageID"] for container in containers}
    known = releases(engine, repository)
    # An image that was released twice counts once.
    kept = set(list(dict.fromkeys(known.values()))[:keep]) | used
    old = [name for name, image in known.items() if image not in kept]
    for name in old if not check_mode else []:
        engine.untag(name)
    return old
