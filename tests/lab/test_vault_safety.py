"""loop-api can write the whole vault, and finds neither loop-auth's keys nor the old secrets in it."""

from __future__ import annotations

from tests.lab.conftest import CHECKOUT
from tests.lab.conftest import Nas
from tests.lab.conftest import deploy

LOOK = """
import os, sys
for top in ("/vault/api/oauth", "/vault/.env"):
    content = sorted(os.listdir(top)) if os.path.isdir(top) else open(top).read() if os.path.exists(top) else None
    print(content)
    try:
        open(os.path.join(top, "x") if os.path.isdir(top) else top, "w").write("planted")
        print("written")
    except OSError as error:
        print(error.strerror)
"""

# Opens for writing, and makes what is not there, without changing what is.
TOUCH = """
import os, sys
for name in [*os.listdir(sys.argv[1]), "planted"]:
    try:
        os.close(os.open(os.path.join(sys.argv[1], name), os.O_RDWR | os.O_CREAT))
        print(name, "can be written")
    except OSError as error:
        print(name, error.strerror)
"""
KEYS = "api/oauth/keys"


def test_keys_database_and_env_are_hidden_inside_the_container(nas: Nas) -> None:
    """Not even code that runs in loop-api finds or writes them in the vault; on the NAS they stay what they are."""
    nas.run("sh", "-c", f"echo OPENAI_API_KEY=old > {CHECKOUT}/.env")
    try:
        deploy("rebuild", "--force")
        seen = nas.docker("exec", "loop-api", "python", "-c", LOOK).splitlines()
        # What is written into the hidden file is nowhere, as the NAS's own file shows below.
        assert seen[:3] == ["[]", "Read-only file system", ""]
        assert nas.run("cat", f"{CHECKOUT}/.env") == "OPENAI_API_KEY=old\n"
        assert nas.run("ls", f"{CHECKOUT}/{KEYS}").strip().endswith(".pem")
    finally:
        nas.run("rm", "-f", f"{CHECKOUT}/.env")
    deploy("rebuild", "--force")
    assert nas.run("sh", "-c", f"ls -A {CHECKOUT} | grep -c '^.env$'", check=False).strip() == "0"


def test_mounted_keys_cannot_be_changed(nas: Nas) -> None:
    """Beside its vault loop-api has them by the contract's own mount, as with the one-liners: to read alone."""
    keys = nas.run("ls", "-A", f"{CHECKOUT}/{KEYS}").split()
    assert any(name.endswith(".pem") for name in keys)
    tried = nas.docker("exec", "loop-api", "python", "-c", TOUCH, f"/app/{KEYS}").splitlines()
    assert sorted(tried) == sorted(f"{name} Read-only file system" for name in [*keys, "planted"])
    assert nas.run("ls", "-A", f"{CHECKOUT}/{KEYS}").split() == keys
