"""loop-auth's keys: fetched, kept, and missed in a way that a client understands."""

from __future__ import annotations

import asyncio
import errno
import json
import stat
import time
from pathlib import Path

import pytest
from api.jwks import Keys
from api.jwks import KeysUnavailable
from joserfc.errors import SecurityWarning

from tests.services.api.issuer import Issuer
from tests.services.api.issuer import new_key
from tests.services.api.issuer import public
from tests.services.api.service import Service
from tests.services.waiting import eventually


def status(service: Service, token: str) -> int:
    """Return how a call with ``token`` is answered."""
    with service.client(token) as client:
        return client.get("/api/notes").status_code


def state(service: Service) -> str:
    """Return what /health says of the keys."""
    with service.client() as client:
        response = client.get("/health")
    assert response.status_code == 200
    answer = response.json()
    assert answer["status"] == "ok" and answer["service"] == "loop-api"
    return str(answer["jwks"])


def test_issuer_down_at_the_start(own_service: Service, own_issuer: Issuer) -> None:
    """Starts, says 503 and when to come again, never 401; and recovers by itself."""
    own_issuer.stop()
    own_service.start()
    token = own_issuer.token()
    assert state(own_service) == "none"
    with own_service.client(token) as client:
        for response in (client.get("/api/notes"), client.rpc("tools/list"), client.get("/mcp")):
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) > 0
            assert "www-authenticate" not in response.headers
        assert "temporarily_unavailable" in client.get("/mcp").text
    # Who brings no token is sent to sign in all the same: loop-auth may be back by then.
    with own_service.client() as client:
        assert client.get("/mcp").status_code == 401
    own_issuer.start()
    eventually(lambda: state(own_service) == "fresh")
    assert status(own_service, token) == 200
    assert "Traceback" not in own_service.log.read_text()


def test_keys_outlive_the_issuer_and_a_restart(own_service: Service, own_issuer: Issuer) -> None:
    """The copy on disk is private, and said to be stale until loop-auth confirms it."""
    own_service.start()
    token = own_issuer.token()
    assert status(own_service, token) == 200
    eventually(own_service.jwks_file.exists)
    assert stat.S_IMODE(own_service.jwks_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(own_service.jwks_file.parent.stat().st_mode) == 0o700
    own_issuer.stop()
    assert status(own_service, token) == 200
    own_service.stop()
    own_service.start()
    assert status(own_service, token) == 200
    assert state(own_service) == "stale"


def test_slow_issuer_holds_nobody_for_long(
    own_service: Service, own_issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The health check is answered at once; who brings a token waits no longer than a fetch may take."""
    own_issuer.delay = 5
    own_service.start()
    started = time.monotonic()
    assert state(own_service) == "none"
    assert time.monotonic() - started < 1
    monkeypatch.setattr("api.jwks.FETCH_TIMEOUT_SECONDS", 0.3)
    with pytest.raises(KeysUnavailable):
        asyncio.run(Keys(own_issuer.url, tmp_path / "jwks.json").key("key-1"))
    assert time.monotonic() - started < 3


class Copy:
    """A copy of the keys on disk, for a Keys of this process."""

    def __init__(self, directory: Path, issuer: Issuer):
        self.file = directory / "state" / "jwks.json"
        self.file.parent.mkdir()
        self._issuer = issuer

    def write(self, age: float) -> bytes:
        """Write the issuer's key as fetched ``age`` seconds ago; return the file's content."""
        jwks = {"keys": [public(self._issuer.key)]}
        self.file.write_text(json.dumps({"fetched_at": time.time() - age, "jwks": jwks}))
        return self.file.read_bytes()

    def keys(self) -> Keys:
        """Return keys that start with the copy."""
        keys = Keys(self._issuer.url, self.file)
        keys.load()
        return keys


@pytest.fixture
def copy(tmp_path: Path, own_issuer: Issuer) -> Copy:
    """Return a place for a copy."""
    return Copy(tmp_path, own_issuer)


@pytest.mark.parametrize(("age", "expected"), [(60, "stale"), (23 * 3600, "stale"), (25 * 3600, "none"), (-60, "none")])
def test_copy_of_doubtful_age_is_not_used(copy: Copy, age: int, expected: str) -> None:
    """A key that loop-auth withdrew must not be trusted for ever; nor a clock that was set back."""
    copy.write(age)
    assert copy.keys().state == expected


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"fetched_at": "x", "jwks": {}}', b"\xff", b'{"jwks": 7}', b'{"fetched_at": 1, "jwks": 7}'],
)
def test_broken_copy_is_left_aside(copy: Copy, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """And mended by the next fetch."""
    copy.file.write_bytes(content)
    keys = copy.keys()
    assert keys.state == "none" and "left aside" in caplog.text
    assert asyncio.run(keys.key("key-1"))
    assert copy.keys().state == "stale"


def test_copy_cannot_be_written(tmp_path: Path, own_issuer: Issuer, caplog: pytest.LogCaptureFixture) -> None:
    """Without a copy it serves all the same."""
    (tmp_path / "state").write_text("a file where the folder should be")
    keys = Keys(own_issuer.url, tmp_path / "state" / "jwks.json")
    assert asyncio.run(keys.key("key-1"))
    assert "no copy on disk" in caplog.text


def test_copy_that_fails_halfway_leaves_nothing(
    copy: Copy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Else a full disk would get one more file with each fetch."""

    def full(*names: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    assert asyncio.run(copy.keys().key("key-1"))
    assert "no copy on disk" in caplog.text
    assert list(copy.file.parent.iterdir()) == []


def test_failed_fetch_for_a_token_is_tried_again_soon(
    copy: Copy, own_issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys do not stay stale until the next fetch of every five minutes."""
    monkeypatch.setattr("api.jwks.COOLDOWN_SECONDS", 0.0)
    monkeypatch.setattr("api.jwks.RETRY_SECONDS", 0.1)

    async def become(keys: Keys, state: str) -> None:
        async with asyncio.timeout(10):
            while keys.state != state:
                await asyncio.sleep(0.02)

    async def fail_once(keys: Keys) -> None:
        refreshing = asyncio.create_task(keys.refresh_for_ever())
        await become(keys, "fresh")
        own_issuer.status = 500
        assert not await keys.key("unknown") and keys.state == "stale"
        own_issuer.status = 200
        await become(keys, "fresh")
        refreshing.cancel()

    asyncio.run(fail_once(copy.keys()))


def test_unknown_keys_cost_few_fetches(copy: Copy, own_issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of forgeries must not become one against loop-auth, at once or in turn."""

    async def flood(keys: Keys) -> None:
        forged = [keys.key(f"unknown-{number}") for number in range(50)]
        assert not any(await asyncio.gather(*forged))
        for number in range(50):
            assert not await keys.key(f"late-{number}")

    keys = copy.keys()
    asyncio.run(flood(keys))
    assert own_issuer.fetches == 1
    monkeypatch.setattr("api.jwks.COOLDOWN_SECONDS", 0.0)
    fresh = new_key("key-2")
    own_issuer.show(own_issuer.key, fresh)
    assert asyncio.run(keys.key("key-2")) and own_issuer.fetches == 2


def test_withdrawn_key_is_forgotten(copy: Copy, own_issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the next fetch that works, also by the copy."""
    monkeypatch.setattr("api.jwks.COOLDOWN_SECONDS", 0.0)
    keys = copy.keys()
    assert asyncio.run(keys.key("key-1"))
    own_issuer.show(new_key("key-2"))
    assert asyncio.run(keys.key("key-2"))
    assert not asyncio.run(keys.key("key-1"))
    assert "key-1" not in copy.file.read_text()


def test_keys_expire_after_a_day(copy: Copy, own_issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a loop-auth that never comes back."""
    keys = copy.keys()
    assert asyncio.run(keys.key("key-1"))
    own_issuer.stop()
    monkeypatch.setattr("api.jwks.USABLE_SECONDS", 0.0)
    assert keys.state == "none"
    with pytest.raises(KeysUnavailable):
        asyncio.run(keys.key("key-1"))


@pytest.mark.parametrize(
    "lie",
    [
        b"<html>502 Bad Gateway</html>",
        b"",
        b"[]",
        b"null",
        b'{"keys": []}',
        b'{"keys": {}}',
        b'{"keys": [null, 7, {"kty": "RSA"}, {"kty": "RSA", "kid": "key-1", "n": "AQAB", "e": "AQAB"}]}',
        b'{"keys": [{"kty": "RSA", "kid": "key-1", "n": "' + b"!" * 400 + b'", "e": "AQAB"}]}',
        b'{"keys": [{"kty": "oct", "kid": "key-1", "k": "c2VjcmV0"}]}',
        b'{"keys": [' + b" " * 300_000 + b"]}",
        b"[" * 200_000,
        b"\xff\xfe",
    ],
    ids=lambda lie: lie[:20].decode(errors="replace"),
)
def test_answer_that_is_no_key_set_changes_nothing(copy: Copy, own_issuer: Issuer, lie: bytes) -> None:
    """The last good keys are kept, in memory and on disk."""
    before = copy.write(60)
    own_issuer.body = lie
    keys = copy.keys()
    assert not asyncio.run(keys.key("key-2"))
    assert own_issuer.fetches == 1
    assert asyncio.run(keys.key("key-1")) and keys.state == "stale"
    assert copy.file.read_bytes() == before


@pytest.mark.parametrize("code", [302, 404, 500])
def test_error_answer_gives_no_keys(copy: Copy, own_issuer: Issuer, code: int) -> None:
    """Good keys under a bad status are none, and a redirect leads nowhere."""
    own_issuer.status = code
    with pytest.raises(KeysUnavailable):
        asyncio.run(copy.keys().key("key-1"))


def test_only_sound_public_keys_are_taken(own_issuer: Issuer, copy: Copy) -> None:
    """No key for encryption, none that is too short; a private half is left out of what is kept."""
    with pytest.warns(SecurityWarning):
        short = new_key("short", 1024)
        short_half = public(short)
    other = public(new_key("other"))
    shown = [own_issuer.key.as_dict(private=True), {**other, "use": "enc"}, short_half, {**other, "kid": 7}]
    own_issuer.body = json.dumps({"keys": shown}).encode()
    keys = copy.keys()
    assert asyncio.run(keys.key("key-1"))
    assert not asyncio.run(keys.key("other")) and not asyncio.run(keys.key("short"))
    assert '"d"' not in copy.file.read_text()
