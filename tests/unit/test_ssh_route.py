"""A NAS that ssh's configuration knows by an alias, or behind a proxy; what ssh makes of its configuration is real."""

from __future__ import annotations

from pathlib import Path

import pytest

from loopdeploy import ssh_route
from loopdeploy.errors import SetupError
from loopdeploy.errors import UnreachableError
from loopdeploy.host_key import fetch_host_keys
from loopdeploy.ssh_route import Route
from loopdeploy.ssh_route import route
from tests.unit.fake_nas import FakeNas
from tests.unit.test_init import PRODUCTION
from tests.unit.test_init import files as files
from tests.unit.test_init import host
from tests.unit.test_init import init
from tests.unit.test_init import nas as nas
from tests.unit.test_init import scripted
from tests.unit.test_init import snapshot

ALIAS = "Host home\n  HostName nas.lan\n  Port 2222\n"
PROXIES = ["ProxyJump jump.lan", "ProxyCommand nc jump.lan 22"]


@pytest.mark.parametrize(
    ("config", "port", "expected"),
    [
        ("", None, Route("home", "home", 22, "home", proxy=False)),
        ("", 2222, Route("home", "home", 2222, "[home]:2222", proxy=False)),
        (ALIAS, None, Route("home", "nas.lan", 2222, "[nas.lan]:2222", proxy=False)),
        (ALIAS, 22, Route("home", "nas.lan", 22, "nas.lan", proxy=False)),
        (f"{ALIAS}  HostKeyAlias key\n", None, Route("home", "nas.lan", 2222, "key", proxy=False)),
        (f"{ALIAS}  ProxyJump none\n", None, Route("home", "nas.lan", 2222, "[nas.lan]:2222", proxy=False)),
        *[
            (f"{ALIAS}  {line}\n", None, Route("home", "nas.lan", 2222, "[nas.lan]:2222", proxy=True))
            for line in PROXIES
        ],
    ],
)
def test_way_is_the_one_that_ssh_goes(nas: FakeNas, config: str, port: int | None, expected: Route) -> None:
    """A port on the command line counts more than one in the configuration, for ssh as here."""
    nas.configure(config)
    assert route("home", port) == expected


@pytest.mark.parametrize(("config", "address"), [("Nonsense\n", "home"), ("", "{{ x }}")])
def test_what_ssh_does_not_understand_is_told(nas: FakeNas, config: str, address: str) -> None:
    """In ssh's own words."""
    nas.configure(config)
    with pytest.raises(
        SetupError, match=r"^ssh knows no way to '.*': .+; correct the address, or ssh's configuration.$"
    ):
        route(address)


def test_ssh_that_takes_too_long_is_told(nas: FakeNas, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its configuration may run anything."""
    monkeypatch.setattr(ssh_route, "PATIENCE", 0.5)
    nas.configure('Match exec "sleep 2"\n')
    with pytest.raises(SetupError, match=r"^ssh does not say within 0.5 s how it goes to 'home': see with .* exec`"):
        route("home")


def test_what_is_not_in_utf_8_stops_nothing(nas: FakeNas, files: dict[str, str]) -> None:
    """Neither in ssh's configuration, nor in what a proxy says."""
    config = nas.directory / "ssh_config"
    config.write_bytes(f"{ALIAS}  IdentityFile ~/schl\xfcssel\n".encode("latin-1"))
    assert route("home").hostname == "nas.lan"
    config.write_bytes(f"{ALIAS}  ProxyCommand schl\xfcssel\n".encode("latin-1"))
    (nas.directory / "refusal").write_bytes("Zugang geschlossen f\xfcr alle\n".encode("latin-1"))
    result = scripted(nas, files, "--address=home")
    assert (result.exit_code, snapshot()) == (3, {})
    assert "through the proxy of ssh's configuration: Zugang geschlossen f\ufffdr alle; see" in result.output


def test_key_of_an_alias_is_pinned_where_ssh_looks_for_it(nas: FakeNas, files: dict[str, str]) -> None:
    """ssh-keyscan knows no alias; nobody has to repeat the port."""
    nas.configure(ALIAS)
    result = scripted(nas, files, "--address=home")
    assert result.exit_code == 0, result.output
    assert "-p 2222" in (nas.directory / "asked").read_text()
    assert (PRODUCTION / "known_hosts.txt").read_text().startswith("[nas.lan]:2222 ssh-ed25519 ")
    assert (host()["ansible_host"], host()["ansible_port"]) == ("home", 2222)


@pytest.mark.parametrize("line", PROXIES)
def test_key_comes_through_a_proxy(nas: FakeNas, files: dict[str, str], line: str) -> None:
    """By ssh itself, which is offered nothing to log in with."""
    nas.configure(f"{ALIAS}  {line}\n")
    assert scripted(nas, files, "--address=home").exit_code == 0
    first = (PRODUCTION / "known_hosts.txt").read_text()
    assert first.startswith("[nas.lan]:2222 ssh-ed25519 ")
    asked = (nas.directory / "asked").read_text()
    assert "PreferredAuthentications=none" in asked and asked.endswith(" -p 2222 -- home\n")
    assert init("--pin", f"--host-key-fingerprint={nas.new_key('ed25519')}").exit_code == 0
    assert (PRODUCTION / "known_hosts.txt").read_text() not in ("", first)


def test_proxy_that_is_closed_is_told(nas: FakeNas, files: dict[str, str]) -> None:
    """With what ssh said of it; nothing is written."""
    nas.configure(f"{ALIAS}  {PROXIES[0]}\n")
    (nas.directory / "refusal").write_text(
        "ssh: connect to host jump.lan port 22: Connection refused\n"
        "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535\n"
    )
    result = scripted(nas, files, "--address=home")
    assert (result.exit_code, snapshot()) == (3, {})
    assert result.output == (
        "Error: No host key of home comes through the proxy of ssh's configuration: ssh: connect to host jump.lan port"
        " 22: Connection refused; see with `ssh home` that the way is open, and call it again.\n"
    )


def test_what_is_unknown_is_the_name_behind_the_alias(nas: FakeNas) -> None:
    """That is what is to be corrected, in ssh's configuration."""
    nas.configure("Host home\n  HostName elsewhere\n")
    with pytest.raises(UnreachableError, match="The host name elsewhere is unknown: correct the address of the NAS."):
        fetch_host_keys("home", 22)


def test_machine_without_ssh_says_so(nas: FakeNas, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing works without it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match="There is no ssh on this machine: install OpenSSH's client."):
        route("home")
