"""What counts of the settings that Ansible takes from the environment and from the directory it is started in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from loopdeploy.content import CONTENT
from loopdeploy.errors import SetupError

# What the operator's own environment may say of Ansible: where things are, and how they are shown. Anything else could
# ask on a terminal that nobody sees, leave steps out, log in oftener than once, take any host key, or leave secrets on
# the NAS.
KEPT = {
    "ANSIBLE_COLLECTIONS_PATH",
    "ANSIBLE_FORCE_COLOR",
    "ANSIBLE_HOME",
    "ANSIBLE_LOCAL_TEMP",
    "ANSIBLE_NOCOLOR",
    "ANSIBLE_SSH_CONTROL_PATH_DIR",
    "ANSIBLE_TIMEOUT",
}


@contextmanager
def own_environment() -> Iterator[None]:
    """Let the environment say of Ansible what loopdeploy wants, for as long as somebody reads it."""
    before = dict(os.environ)
    for name in before:
        if name.startswith("ANSIBLE_") and name not in KEPT:
            del os.environ[name]
    os.environ["ANSIBLE_CONFIG"] = str(CONTENT / "ansible.cfg")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def own_ansible() -> Iterator[None]:
    """Import and use Ansible in this process with the settings that it has in a run; the first import reads them.

    Raises SetupError for one that it does not understand.
    """
    with own_environment():
        from ansible.errors import AnsibleError

        try:
            import_module("ansible.constants")
        except AnsibleError as error:
            raise SetupError(f"Ansible refuses a setting: {str(error).rstrip('.')}; correct it or unset it.") from error
        yield
