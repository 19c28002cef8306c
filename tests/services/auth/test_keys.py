"""Signing keys: their files, their rotation, and what a running service makes of it."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import httpx
import pytest
from api.oauth import key_files
from api.oauth.key_files import KeyTrouble
from api.oauth.keys import SKEW
from api.oauth.keys import KeyRing
from joserfc.jwk import RSAKey

from tests.services.auth.conftest import NAME
from tests.services.auth.conftest import PASSWORD
from tests.services.auth.conftest import Make

LIFE = 3600


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KeyRing:
    """Return a ring with its first key, that looks at its directory each time."""
    monkeypatch.setattr("api.oauth.keys.time.monotonic", iter(range(10, 10**6, 10)).__next__)
    ring = KeyRing(tmp_path / "keys", LIFE)
    ring.prepare()
    return ring


def kids(ring: KeyRing) -> list[object]:
    """Return the published keys, oldest first."""
    return [key["kid"] for key in ring.public_keys()["keys"]]


def at(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let ``seconds`` pass from now on."""
    moved = time.time() + seconds
    monkeypatch.setattr("api.oauth.keys.time.time", lambda: moved)


def test_the_first_start_makes_a_key_that_only_the_owner_reads(ring: KeyRing) -> None:
    """0600 in a 0700 directory; a second start makes no other."""
    (file,) = ring.directory.iterdir()
    assert (ring.directory.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    again = KeyRing(ring.directory, LIFE)
    again.prepare()
    assert kids(again) == kids(ring)


def test_a_directory_of_a_checkout_is_closed(tmp_path: Path) -> None:
    """Git brings it as 0755, with a .gitignore in it."""
    (tmp_path / ".gitignore").write_text("*")
    tmp_path.chmod(0o755)
    KeyRing(tmp_path, LIFE).prepare()
    assert tmp_path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_may_read_is_refused(ring: KeyRing, mode: int) -> None:
    """It is not mended: it may be copied already. The sentence names the file and what to type."""
    (file,) = ring.directory.iterdir()
    file.chmod(mode)
    with pytest.raises(KeyTrouble) as trouble:
        KeyRing(ring.directory, LIFE).prepare()
    assert str(trouble.value).endswith(f"chmod 600 {file}")


@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"])
def test_a_broken_key_is_named(ring: KeyRing, content: bytes) -> None:
    """And no other made in its place, which would hide the loss."""
    (file,) = ring.directory.iterdir()
    file.write_bytes(content)
    with pytest.raises(KeyTrouble, match=f"{file.name} is no RSA key"):
        KeyRing(ring.directory, LIFE).prepare()


def test_the_key_of_the_first_loop_auth_goes_on(tmp_path: Path) -> None:
    """It was called after its kid alone."""
    key = RSAKey.generate_key(2048)
    file = tmp_path / f"{key.thumbprint()}.pem"
    file.write_bytes(key.as_pem(private=True))
    file.chmod(0o600)
    ring = KeyRing(tmp_path, LIFE)
    ring.prepare()
    assert ring.signing_key().kid == key.thumbprint()
    key_files.rotate(tmp_path, 0)
    ring.retire()
    assert [file.path.suffix for file in key_files.list_keys(tmp_path)] == [".pub", ".pem"]


def test_a_rotation_publishes_first_and_drops_last(ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Published, signing, then public only for as long as the last token lives."""
    old = ring.signing_key().kid
    new = key_files.rotate(ring.directory).kid
    assert kids(ring) == [old, new]
    assert ring.signing_key().kid == old
    with pytest.raises(KeyTrouble, match="waits already"):
        key_files.rotate(ring.directory)
    at(monkeypatch, key_files.HEAD_START - 5)
    assert ring.signing_key().kid == old
    at(monkeypatch, 10)
    assert ring.signing_key().kid == new
    ring.retire()
    assert [file.private for file in key_files.list_keys(ring.directory)] == [False, True]
    assert kids(ring) == [old, new]
    at(monkeypatch, LIFE + SKEW - 30)
    ring.retire()
    assert kids(ring) == [old, new]
    at(monkeypatch, 60)
    ring.retire()
    assert kids(ring) == [new]
    assert ring.signing_key().kid == new


def test_a_rotation_that_was_cut_off_does_no_harm(ring: KeyRing) -> None:
    """Neither half a file nor both halves of a key."""
    old = ring.signing_key().kid
    (private,) = key_files.list_keys(ring.directory)
    (ring.directory / "1.x.pem.partial").write_bytes(b"-----BEGIN")
    private.path.with_suffix(".pub").write_bytes(b"")
    assert ring.signing_key().kid == old
    assert kids(ring) == [old]


def test_a_compromised_key_is_dropped_at_once(ring: KeyRing) -> None:
    """No token of it is accepted any more."""
    key_files.rotate(ring.directory)
    new = key_files.replace_all(ring.directory).kid
    assert kids(ring) == [new]
    assert ring.signing_key().kid == new


def test_a_directory_that_vanishes_signs_nobody_out(ring: KeyRing) -> None:
    """What was read stays in use until it is back."""
    before = kids(ring)
    ring.directory.rename(ring.directory.with_name("away"))
    assert (kids(ring), ring.check()) == (before, "unavailable")
    assert ring.signing_key().kid == before[0]
    ring.directory.mkdir()
    assert (kids(ring), ring.check()) == (before, "unavailable")
    ring.directory.rmdir()
    ring.directory.with_name("away").rename(ring.directory)
    assert (kids(ring), ring.check()) == (before, "ok")


def test_a_running_service_follows_a_rotation(make: Make, http: httpx.Client) -> None:
    """Without a restart; the old tokens' key stays published, and tokens name the key that signed them."""
    auth = make().start()
    auth.command("user", "add", NAME, password=PASSWORD)
    client = auth.client(http)
    old = client.connect(NAME, PASSWORD)
    assert auth.command("keys", "rotate", "--after", "3").returncode == 0
    time.sleep(1.1)
    published = {key["kid"] for key in client.http.get(client.url("/.well-known/jwks.json")).json()["keys"]}
    early = client.refresh(old["refresh_token"]).json()
    assert len(published) == 2
    assert kid(early) == kid(old)
    late = early
    deadline = time.monotonic() + 10
    while kid(late) == kid(early) and time.monotonic() < deadline:
        time.sleep(0.2)
        late = client.refresh(late["refresh_token"]).json()
    assert {kid(early), kid(late)} == published


def kid(tokens: dict[str, str]) -> str:
    """Return the key that an access token names."""
    header = tokens["access_token"].partition(".")[0]
    name: str = json.loads(base64.urlsafe_b64decode(header + "=="))["kid"]
    return name


def test_it_refuses_to_start_on_a_readable_key(make: Make, http: httpx.Client) -> None:
    """With one sentence and no traceback."""
    auth = make().start()
    auth.stop()
    (file,) = auth.keys.iterdir()
    file.chmod(0o644)
    (auth.directory / "log").write_text("")
    with pytest.raises(AssertionError):
        auth.start()
    assert auth.log == f"Others may read the signing key {file}; close it with: chmod 600 {file}\n"
