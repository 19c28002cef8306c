"""The host key of a NAS, pinned anew, and what else counts for a login."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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
