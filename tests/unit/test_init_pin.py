"""The host key of a NAS, pinned anew, and what else counts for a login."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from loopdeploy.content import CONTENT
from tests.unit.fake_nas import FakeNas
from tests.unit.test_init import PRODUCTION
from tests.unit.test_init import files as files
from tests.unit.test_init import host
from tests.unit.test_init import init
from tests.unit.test_init import nas as nas
from tests.unit.test_init import scripted
from tests.unit.test_init import snapshot


def test_host_key_is_pinned_anew_when_asked(nas: FakeNas, files: dict[str, str]) -> None:
    """After the NAS was set up again; nothing else is written."""
    scripted(nas, files)
    before = snapshot()
    result = init("--pin", f"--host-key-fingerprint={nas.new_key('ed25519')}")
    assert result.exit_code == 0, result.output
    changed = {file for file, content in snapshot().items() if before[file] != content}
    assert changed == {PRODUCTION / "known_hosts.txt"}
    assert (PRODUCTION / "known_hosts.txt").read_text() == nas.pinned("ed25519")


def test_pin_needs_an_inventory(nas: FakeNas) -> None:
    """There is no address to ask."""
    result = init("--pin", f"--host-key-fingerprint={nas.new_key('ed25519')}")
    assert (result.exit_code, snapshot()) == (2, {})
    assert "make it with `loopdeploy init`" in result.output


def test_inventory_filled_in_by_hand_can_be_pinned(nas: FakeNas) -> None:
    """That of a clone; ssh then takes the pinned key alone."""
    PRODUCTION.mkdir(parents=True)
    blank = (CONTENT / "inventory" / "production" / "hosts.yml").read_text()
    (PRODUCTION / "hosts.yml").write_text(blank.replace("fill-in-the-address.invalid", "nas.lan"))
    result = init("--pin", f"--host-key-fingerprint={nas.new_key('ed25519')}")
    assert result.exit_code == 0, result.output
    assert (PRODUCTION / "known_hosts.txt").read_text() == nas.pinned("ed25519")


def test_clone_s_inventory_says_what_init_writes(nas: FakeNas, files: dict[str, str]) -> None:
    """Of ssh the same, so that it does not matter who filled it in."""
    scripted(nas, files)
    blank = yaml.safe_load((CONTENT / "inventory" / "production" / "hosts.yml").read_text())["loop"]["hosts"]["nas"]
    assert blank["ansible_ssh_common_args"] == host()["ansible_ssh_common_args"]


def test_pin_that_would_not_count_is_refused(nas: FakeNas) -> None:
    """Another file of host keys is read; nothing is written."""
    PRODUCTION.mkdir(parents=True)
    (PRODUCTION / "hosts.yml").write_text("loop: {hosts: {nas: {ansible_host: nas.lan}}}\n")
    result = init("--pin", f"--host-key-fingerprint={nas.new_key('ed25519')}")
    assert result.exit_code == 2
    assert "does not let ssh read known_hosts.txt" in result.output
    assert list(snapshot()) == [PRODUCTION / "hosts.yml"]


def by_hand(nas: FakeNas, arguments: str, **variables: object) -> str:
    """Fill in a clone's hosts.yml without a port and with further ``arguments`` of ssh; return what --pin says."""
    known = yaml.safe_load((CONTENT / "inventory" / "production" / "hosts.yml").read_text())
    [host] = known["loop"]["hosts"].values()
    del host["ansible_port"]
    host |= {"ansible_host": "home", "ansible_ssh_common_args": f"{host['ansible_ssh_common_args']} {arguments}"}
    host |= variables
    PRODUCTION.mkdir(parents=True, exist_ok=True)
    (PRODUCTION / "hosts.yml").write_text(yaml.safe_dump(known))
    return init("--pin", f"--host-key-fingerprint={nas.new_key('ed25519')}").output


def pinned() -> str:
    """Return under which name the host key is pinned."""
    return (PRODUCTION / "known_hosts.txt").read_text().split()[0]


@pytest.mark.parametrize(
    ("variables", "name"),
    [({}, "[nas.lan]:2022"), ({"ansible_port": None}, "[nas.lan]:2022"), ({"ansible_port": 22}, "nas.lan")],
)
def test_port_that_the_inventory_does_not_name_is_ssh_s_to_name(
    nas: FakeNas, variables: dict[str, object], name: str
) -> None:
    """As Ansible, which gives ssh none either; there the key is looked for."""
    nas.configure("Host home\n  HostName nas.lan\n  Port 2022\n")
    by_hand(nas, "", **variables)
    assert pinned() == name


def test_arguments_of_the_inventory_say_where_the_key_is(nas: FakeNas) -> None:
    """A name for it, another configuration, a port: whatever ssh understands."""
    PRODUCTION.mkdir(parents=True)
    (PRODUCTION / "ssh_config").write_text("Host home\n  HostName nas.lan\n  Port 2022\n")
    # The stand-in names a configuration of its own, and of two ssh takes the last.
    by_hand(nas, "-F '{{ inventory_dir }}/ssh_config' -o HostKeyAlias=the-nas")
    assert pinned() == "the-nas"
    assert "-p 2022 " in (nas.directory / "asked").read_text()


def test_variables_of_the_group_say_where_the_key_is(nas: FakeNas) -> None:
    """Where a team has several inventories alike; a template in what is no way to the NAS is none of ssh's matter."""
    nas.configure("Host home\n  HostName nas.lan\n  Port 22\n")
    PRODUCTION.mkdir(parents=True)
    (PRODUCTION / "hosts.yml").write_text(
        "loop:\n  hosts: {nas: {ansible_host: home, ansible_user: !unsafe ann}}\n  vars:\n    ansible_port: 2022\n"
        "    ansible_ssh_common_args: >-\n      -o UserKnownHostsFile={{ inventory_dir | quote }}/known_hosts.txt\n"
        '      -o \'ControlPath={{ lookup("env", "HOME") }}/.ssh/cm-%C\' -o HostKeyAlias=the-nas\n'
    )
    result = init("--pin", f"--host-key-fingerprint={nas.new_key('ed25519')}")
    assert result.exit_code == 0, result.output
    assert pinned() == "the-nas"
    assert " -p 2022 " in (nas.directory / "asked").read_text()


@pytest.mark.parametrize("proxy", ["-o ProxyJump=jump.lan", "-J jump.lan", "-o 'ProxyCommand=nc jump.lan 22'"])
def test_key_comes_through_the_proxy_of_the_inventory(nas: FakeNas, proxy: str) -> None:
    """What fetches it does not look for it in the file that is about to be written."""
    by_hand(nas, f"{proxy} -o Hostname=nas.lan -o Port=2022")
    assert pinned() == "[nas.lan]:2022"
    asked = (nas.directory / "asked").read_text()
    assert " -p 2022 -o UserKnownHostsFile=none -o GlobalKnownHostsFile=/dev/null " in asked
    assert asked.index("StrictHostKeyChecking=accept-new") < asked.index("StrictHostKeyChecking=yes")
    assert proxy.replace("'", "") in asked


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            "-o ProxyJump={{ jump }}",
            "{{ jump }} of ansible_ssh_common_args in inventory/production/hosts.yml cannot be read without Ansible:",
        ),
        (
            "-o 'ProxyJump=jump",
            "The ansible_ssh_common_args in inventory/production/hosts.yml cannot be read: close the quote in them.",
        ),
        ("-o Nonsense=1", "correct the address, the ansible_ssh_common_args, or ssh's configuration."),
    ],
)
def test_arguments_that_cannot_be_read_are_told(nas: FakeNas, arguments: str, sentence: str) -> None:
    """Rather than to pin a key that does not count; nothing is written."""
    assert sentence in by_hand(nas, arguments)
    assert list(snapshot()) == [PRODUCTION / "hosts.yml"]


def test_proxy_of_the_inventory_that_is_closed_is_told(nas: FakeNas) -> None:
    """`ssh home` alone would not go through it."""
    (nas.directory / "refusal").write_text("ssh: connect to host jump.lan port 22: Connection refused\n")
    said = by_hand(nas, "-o ProxyJump=jump.lan")
    assert "see with `ssh home` and the ansible_ssh_common_args of the inventory that the way is open" in said


def test_copy_that_ssh_keygen_leaves_is_no_list_of_hosts(nas: FakeNas, files: dict[str, str]) -> None:
    """Else no verb would run any more; what Ansible leaves out by itself stays left out."""
    scripted(nas, files)
    known_hosts = PRODUCTION / "known_hosts.txt"
    subprocess.run(["ssh-keygen", "-q", "-R", "nas.lan", "-f", known_hosts], capture_output=True, check=True)
    assert known_hosts.with_name("known_hosts.txt.old").exists()
    left_out = [".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".rst", ".orig", ".cfg", ".retry"]
    for ending in left_out:
        (PRODUCTION / f"hosts.yml{ending}").write_text("no list of hosts")
    command = [str(Path(sys.executable).with_name("ansible-inventory")), "-i", str(PRODUCTION), "--graph"]
    env = {**os.environ, "HOME": str(nas.directory), "ANSIBLE_CONFIG": str(CONTENT / "ansible.cfg")}
    vault = ["--vault-password-file", files["vault-password"]]
    shown = subprocess.run([*command, *vault], capture_output=True, text=True, env=env)
    assert (shown.returncode, "nas" in shown.stdout) == (0, True), shown.stderr
