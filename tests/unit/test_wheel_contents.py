"""What a wheel carries, and what it never does."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = Path("inventory", "production")


def test_wheel_has_the_template_of_an_inventory_and_nothing_of_a_filled_in_one(tmp_path: Path) -> None:
    """Built where an operator works, too: in a clone with an inventory of its own, and without git."""
    clone = tmp_path / "clone"
    ignored = shutil.ignore_patterns(".venv", ".git", ".cache", "*_cache", "build", "docs", "tests", "bench")
    shutil.copytree(ROOT, clone, ignore=ignored)
    planted = ["group_vars/loop/vault.yml", "known_hosts.txt", "host_vars/nas/login.yml", "hosts.yml", "key.pem"]
    for name in planted:
        (clone / INVENTORY / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / INVENTORY / name).write_text("planted")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=clone, check=True, capture_output=True)
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        production = [name for name in archive.namelist() if str(INVENTORY) in name]
        assert all(b"planted" not in archive.read(name) for name in archive.namelist())
    prefix = f"loopdeploy/content/{INVENTORY}/group_vars/loop"
    assert production == [f"{prefix}/main.yml", f"{prefix}/vault.yml.example"]
