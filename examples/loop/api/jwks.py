"""loop-auth's public keys (RFC 7517): fetched in the background, kept in memory and on disk for when it is down."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Any
from typing import Literal

import httpx2
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 300.0
# While loop-auth does not answer.
RETRY_SECONDS = 5.0
# Between two fetches that a token's unknown kid asks for: a flood of them must not become one against loop-auth.
COOLDOWN_SECONDS = 10.0
USABLE_SECONDS = 24 * 3600.0
FETCH_TIMEOUT_SECONDS = 5.0
MAX_BYTES = 256 * 1024
MIN_KEY_BITS = 2048


class KeysUnavailable(Exception):
    """There are no keys at all; nobody's token can be judged until loop-auth answers."""


class BadKeys(ValueError):
    """What came is no set of public RSA keys."""


class Keys:
    """The keys at ``url``, with a copy in ``file``."""

    def __init__(self, url: str, file: Path):
        self._url = url
        self._file = file
        self._keys: dict[str, RSAKey] = {}
        self._fetched_at = 0.0
        self._tried_at = 0.0
        # Set until the last fetch worked.
        self._failing = asyncio.Event()
        self._failing.set()
        self._fetching = asyncio.Lock()

    @property
    def state(self) -> Literal["fresh", "stale", "none"]:
        """Tell whether the last fetch worked, or else whether there are keys that may still be used."""
        if not self._usable():
            return "none"
        return "stale" if self._failing.is_set() else "fresh"

    async def key(self, kid: str) -> RSAKey | None:
        """Return the key called ``kid``, None when loop-auth has none of that name.

        Raises KeysUnavailable without any usable keys.
        """
        if not self._usable() or kid not in self._keys:
            await self._fetch_unless_just_tried()
        if not self._usable():
            raise KeysUnavailable
        return self._keys.get(kid)

    async def refresh_for_ever(self) -> None:
        """Fetch the keys every few minutes, and more often while that fails."""
        while True:
            async with self._fetching:
                await self._fetch()
            # A fetch that a token asks for may fail meanwhile.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._failing.wait(), REFRESH_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)

    def load(self) -> None:
        """Take the copy on disk, unless it is too old."""
        try:
            copy = json.loads(self._file.read_bytes())
            age = time.time() - float(copy["fetched_at"])
            keys = parse(copy["jwks"])
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            logger.warning("The copy of the keys in %s is left aside: %s", self._file, error)
            return
        # A time to come is a clock that was set: how old the copy is cannot be told.
        if 0 <= age < USABLE_SECONDS:
            self._keys, self._fetched_at = keys, time.monotonic() - age

    def _usable(self) -> bool:
        return bool(self._keys) and time.monotonic() - self._fetched_at < USABLE_SECONDS

    async def _fetch_unless_just_tried(self) -> None:
        asked = time.monotonic()
        async with self._fetching:
            # Also true for who waited while another request's fetch was under way.
            if asked - self._tried_at >= COOLDOWN_SECONDS or not self._tried_at:
                await self._fetch()

    async def _fetch(self) -> None:
        self._tried_at = time.monotonic()
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_SECONDS):
                body = await self._get()
            keys = parse(body)
        except (httpx2.HTTPError, TimeoutError, ValueError, RecursionError) as error:
            if not self._failing.is_set() or not self._fetched_at:
                logger.warning("loop-auth's keys were not fetched from %s: %s", self._url, error or "no answer in time")
            self._failing.set()
            return
        changed = keys.keys() != self._keys.keys()
        self._keys, self._fetched_at = keys, time.monotonic()
        self._failing.clear()
        if changed:
            logger.warning("loop-auth's keys: %s", ", ".join(sorted(keys)))
        await asyncio.to_thread(self._save)

    async def _get(self) -> Any:
        # No proxy from the environment: loop-auth is next door.
        async with httpx2.AsyncClient(trust_env=False, timeout=FETCH_TIMEOUT_SECONDS) as client:
            async with client.stream("GET", self._url) as response:
                if response.status_code != 200:
                    raise BadKeys(f"loop-auth answered {response.status_code}")
                body = b""
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise BadKeys(f"more than {MAX_BYTES} bytes")
        return json.loads(body)

    def _save(self) -> None:
        """Keep a copy; without one loop-api only needs loop-auth when it starts."""
        jwks = {"keys": [{**key.as_dict(private=False), "kid": kid} for kid, key in self._keys.items()]}
        copy = json.dumps({"fetched_at": time.time(), "jwks": jwks}).encode()
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(self._file, copy)
        except OSError as error:
            logger.warning("The keys have no copy on disk: %s", error)


def _replace(file: Path, content: bytes) -> None:
    # mkstemp makes it 0600.
    descriptor, partial = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        os.replace(partial, file)
    except OSError:
        # On a full disk each fetch would leave one more.
        os.unlink(partial)
        raise


def parse(jwks: Any) -> dict[str, RSAKey]:
    """Return the public RSA signing keys in ``jwks`` by kid; raises BadKeys when there is none.

    Only what makes a public key is taken: a private half or a symmetric key that loop-auth shows by mistake is not.
    """
    if not isinstance(jwks, dict) or not isinstance(jwks.get("keys"), list):
        raise BadKeys("what came is no JWKS")
    keys = {}
    for entry in jwks["keys"]:
        if isinstance(entry, dict) and _signs(entry):
            key = _public_key(entry)
            if key is not None:
                keys[entry["kid"]] = key
    if not keys:
        raise BadKeys("it holds no RSA key to verify with")
    return keys


def _signs(entry: dict[str, Any]) -> bool:
    use, algorithm, kid = entry.get("use", "sig"), entry.get("alg", "RS256"), entry.get("kid")
    return entry.get("kty") == "RSA" and use == "sig" and algorithm == "RS256" and isinstance(kid, str) and bool(kid)


def _public_key(entry: dict[str, Any]) -> RSAKey | None:
    modulus, exponent = str(entry.get("n")), str(entry.get("e"))
    # A letter is six bits; what is too short is not even tried.
    if len(modulus) * 6 < MIN_KEY_BITS:
        return None
    try:
        key = RSAKey.import_key({"kty": "RSA", "n": modulus, "e": exponent})
        return key if key.public_key.key_size >= MIN_KEY_BITS else None
    except (JoseError, ValueError):
        return None
