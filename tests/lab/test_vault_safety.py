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


def test_keys_database_and_env_are_hidden_inside_the_container(nas: Nas) -> None:
    """Not even code that runs in loop-api reads or writes them; on the NAS they stay what they are."""
    nas.run("sh", "-c", f"echo OPENAI_API_KEY=old > {CHECKOUT}/.env")
    try:
        deploy("rebuild", "--force")
        seen = nas.docker("exec", "loop-api", "python", "-c", LOOK).splitlines()
        # What is written into the hidden file is nowhere, as the NAS's own file shows below.
        assert seen[:3] == ["[]", "Read-only file system", ""]
        assert nas.run("cat", f"{CHECKOUT}/.env") == "OPENAI_API_KEY=old\n"
        assert nas.run("ls", f"{CHECKOUT}/api/oauth/keys").strip().endswith(".pem")
    finally:
        nas.run("rm", "-f", f"{CHECKOUT}/.env")
    deploy("rebuild", "--force")
    assert nas.run("sh", "-c", f"ls -A {CHECKOUT} | grep -c '^.env$'", check=False).strip() == "0"
