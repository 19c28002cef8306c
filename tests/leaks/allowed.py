"""Where a secret may be, because that is what it is for: each place with its reason, and everything else is a leak."""

from __future__ import annotations

import re

from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import STATE

Found = tuple[str, str]
# The environment variables of loop-api that have a key, with the key's name here.
API_KEYS = {"OPENAI_API_KEY": "openai", "ANTHROPIC_API_KEY": "anthropic"}
# What `loopdeploy vault view` and `vault edit` show, on purpose.
IN_THE_VAULT = ("ssh", "sudo", "openai", "anthropic")
# How the engine of the NAS writes down the environment of a container that it has, for root alone.
ENGINE = (
    r"/var/lib/docker/containers/[0-9a-f]{64}/(\.tmp-)?config\.v2\.json\d*",
    r"/var/lib/docker/containerd/daemon/io\.containerd\.metadata\.v1\.bolt/meta\.db",
    r"/run/(docker|containerd)/.+\.json",
)

ALLOWED: tuple[tuple[tuple[str, ...], str], ...] = (
    # The containers' own environment, each key under its own name alone.
    *(((key,), rf"environment of a service: {variable}") for variable, key in API_KEYS.items()),
    *((tuple(API_KEYS.values()), rf"file of the NAS: {file}") for file in ENGINE),
    # The engine hands that environment to runc, whenever it asks a service for its health, in a file of 0600.
    (tuple(API_KEYS.values()), r"temporary file of the NAS: /tmp/runc-process\d+"),
    # Keys that the vault does not have stand in the file of the old one-liners.
    (tuple(API_KEYS.values()), rf"file of the NAS: {re.escape(CHECKOUT)}/\.env"),
    # loop-auth's own keys, and their backups.
    (("rsa",), rf"file of the NAS: {re.escape(CHECKOUT)}/api/oauth/keys/[^/]+\.pem"),
    (("rsa",), rf"file of the NAS: {re.escape(STATE)}/backups/[^/]+/keys/[^/]+\.pem"),
    # ansible-core hands ssh the password in shared memory that is its owner's alone, and gone with that ssh command.
    (("ssh",), r"temporary file: /dev/shm/psm_\w+"),
)


def may_be(name: str, place: str) -> bool:
    """Return whether the secret ``name`` may be in ``place``."""
    return any(name in names and re.fullmatch(pattern, place) for names, pattern in ALLOWED)


def in_the_editor(name: str, place: str) -> bool:
    """Return whether ``place`` is the file, in memory, that `vault edit` gives to the editor."""
    return (
        name in IN_THE_VAULT and re.fullmatch(r"temporary file: /dev/shm/loopdeploy-\w+/vault\.yml", place) is not None
    )
