"""What a wheel carries, and what it never does."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = Path("inventory", "production")
CARRIED = (
    "examples",
    "inventory/lab",
    f"{INVENTORY}/group_vars/loop/main.yml",
    f"{INVENTORY}/group_vars/loop/vault.yml.example",
    "loopdeploy",
    "playbooks",
    "roles",
)


def built(clone: Path, directory: Path) -> zipfile.ZipFile:
    """Return the wheel of ``clone``, built into ``directory``."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(build, cwd=clone, check=True, capture_output=True)
    [wheel] = directory.glob("*.whl")
    return zipfile.ZipFile(wheel)


def test_wheel_has_the_template_of_an_inventory_and_nothing_of_a_filled_in_one(tmp_path: Path) -> None:
    """Built where an operator works, too: in a clone with an inventory of its own, and without git."""
    clone = tmp_path / "clone"
    ignored = shutil.ignore_patterns(".venv", ".git", ".cache", "*_cache", "build", "docs", "tests", "bench")
    shutil.copytree(ROOT, clone, ignore=ignored)
    planted = ["group_vars/loop/vault.yml", "known_hosts.txt", "host_vars/nas/login.yml", "hosts.yml", "key.pem"]
    for name in planted:
        (clone / INVENTORY / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / INVENTORY / name).write_text("planted")
    with built(clone, tmp_path) as archive:
        production = [name for name in archive.namelist() if str(INVENTORY) in name]
        assert all(b"planted" not in archive.read(name) for name in archive.namelist())
    prefix = f"loopdeploy/content/{INVENTORY}/group_vars/loop"
    assert production == [f"{prefix}/main.yml", f"{prefix}/vault.yml.example"]


def test_wheel_has_every_file_that_a_verb_may_need(tmp_path: Path) -> None:
    """A module, a script or an archive that it lacks fails only at the verb and on the NAS that need it."""
    listed = subprocess.run(["git", "ls-files", "-z", *CARRIED], cwd=ROOT, check=True, capture_output=True, text=True)
    files = ["ansible.cfg", *filter(None, listed.stdout.split("\0"))]
    assert "roles/loop_service/files/requests.zip" in files
    with built(ROOT, tmp_path) as archive:
        names = set(archive.namelist())
        wanted = {file: file if file.startswith("loopdeploy/") else f"loopdeploy/content/{file}" for file in files}
        assert [file for file, name in wanted.items() if name not in names] == []
        assert [file for file, name in wanted.items() if archive.read(name) != (ROOT / file).read_bytes()] == []
