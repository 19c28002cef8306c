"""The host key, before it is trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopdeploy.errors import SetupError
from loopdeploy.errors import UnreachableError
from loopdeploy.host_key import fetch_host_keys
from loopdeploy.host_key import with_fingerprint
from tests.unit.fake_nas import FakeNas


@pytest.fixture
def nas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNas:
    """Return a NAS without a host key."""
    return FakeNas(tmp_path / "nas", monkeypatch)


def test_fingerprint_is_what_ssh_keygen_shows(nas: FakeNas) -> None:
    """The operator compares it with the NAS's own words."""
    fingerprint = nas.new_key("ed25519")
    [key] = fetch_host_keys("nas.lan", 22)
    assert key.fingerprint == fingerprint
    assert key.command == "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"


def test_best_kind_comes_first(nas: FakeNas) -> None:
    """It is the one that is shown and pinned."""
    fingerprints = [nas.new_key(kind) for kind in ("rsa", "ecdsa", "ed25519")]
    keys = fetch_host_keys("nas.lan", 22)
    assert [key.fingerprint for key in keys] == fingerprints[::-1]
    assert keys[1].command == "ssh-keygen -lf /etc/ssh/ssh_host_ecdsa_key.pub"


def test_key_of_any_kind_can_be_named_by_its_fingerprint(nas: FakeNas) -> None:
    """A script may have noted the RSA key's."""
    nas.new_key("ed25519")
    fingerprint = nas.new_key("rsa")
    assert with_fingerprint(fetch_host_keys("nas.lan", 22), fingerprint).kind == "ssh-rsa"


def test_wrong_fingerprint_is_refused(nas: FakeNas) -> None:
    """The sentence has both, so that it can be compared."""
    fingerprint = nas.new_key("ed25519")
    with pytest.raises(SetupError, match="and not SHA256:no: compare it") as error:
        with_fingerprint(fetch_host_keys("nas.lan", 22), "SHA256:no")
    assert fingerprint in error.value.message


def test_port_is_asked(nas: FakeNas) -> None:
    """SSH may be elsewhere."""
    nas.new_key("ed25519")
    fetch_host_keys("nas.lan", 2222)
    assert "-p 2222" in (nas.directory / "asked").read_text()


@pytest.mark.parametrize(
    ("address", "sentence"),
    [("nas.lan", "No SSH server answers at nas.lan, port 22"), ("nowhere", "The host name nowhere is unknown")],
)
def test_nas_without_an_answer_is_explained(nas: FakeNas, address: str, sentence: str) -> None:
    """Exit code 3, as when a verb does not reach it."""
    with pytest.raises(UnreachableError, match=sentence) as error:
        fetch_host_keys(address, 22)
    assert error.value.exit_code == 3


@pytest.mark.parametrize("line", ["nas.lan ssh-ed25519 !!!", "nas.lan ssh-ed25519", "nas.lan other AAAA", "nonsense"])
def test_nonsense_is_no_key(nas: FakeNas, line: str) -> None:
    """Whatever answers on that port."""
    nas.scan.write_text(f"#!/bin/sh\necho '{line}'\n")
    with pytest.raises(UnreachableError, match="No SSH server answers"):
        fetch_host_keys("nas.lan", 22)


def test_machine_without_ssh_keyscan_says_so(nas: FakeNas, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to trust then."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SetupError, match="install OpenSSH's client"):
        fetch_host_keys("nas.lan", 22)
