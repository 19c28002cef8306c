"""The files of a new inventory, as `loopdeploy init` lays them out."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Iterator
from configparser import ConfigParser
from dataclasses import dataclass
from dataclasses import field
from itertools import chain
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from loopdeploy.content import CONTENT
from loopdeploy.errors import SetupError
from loopdeploy.host_key import HostKey
from loopdeploy.target import vaults
from loopdeploy.vault_file import HEAD
from loopdeploy.vault_file import close_vault
from loopdeploy.vault_file import require_encrypted
from loopdeploy.vault_file import secret_line
from loopdeploy.vault_file import vault_file
from loopdeploy.writing import require_writable
from loopdeploy.writing import write_file

TEMPLATE = CONTENT / "inventory" / "production"
VARIABLES = Path("group_vars", "loop", "main.yml")
# The variable in that file, with the lines that belong to it.
PUBLIC_URL = re.compile(rb"^loop_public_url:.*\n?(?:[ \t]+\S.*\n?)*", re.MULTILINE)
# The variables that `bootstrap` writes, of the host that HOSTS names.
LOGIN = Path("host_vars", "nas", "login.yml")
# Ansible would read a file of another ending in this directory as a list of hosts.
KNOWN_HOSTS = "known_hosts.txt"
# In a quoted path ssh takes these for its own, and knows no way around it; Ansible takes a `$` for a variable.
NO_PATH = re.compile(r'["\\$\n]')
# What else Ansible knows in the directory of an inventory.
BESIDE_HOSTS = {"group_vars", "host_vars", "vars_plugins"}
# How HOSTS, below, names the file of the pinned host key, and how else an inventory names what lies beside it.
OWN_TEMPLATE = re.compile(r"\{\{[^{}]*UserKnownHostsFile=[^{}]*\}\}")
DIRECTORY_TEMPLATE = re.compile(r"\{\{\s*inventory_dir\s*\}\}")
# Options that say nothing of the way to the NAS, in which a template may stand.
NO_WAY = re.compile(r"\b(UserKnownHostsFile|ControlPath)=(?:\{\{.*?\}\}|[^\s\"'{]|\{(?!\{))+")
# How the hosts.yml of a clone says that nobody filled it in.
BLANK = "fill-in-the-address.invalid"

HOSTS = """\
# Written by `loopdeploy init`.
loop:
  hosts:
    nas:
      ansible_host: {address}
      ansible_port: {port}
      ansible_user: {login}
      # The pinned host key alone is accepted, also where /etc/ssh has others, and no other joins it. Of your SSH keys
      # only those are offered that are named, by ansible_ssh_private_key_file or ~/.ssh/config; `none` stands for ssh's
      # own list of files.
      ansible_ssh_common_args: >-
        -o {{{{ ('UserKnownHostsFile="' ~ inventory_dir | replace('%', '%%') ~ '/known_hosts.txt"') | quote }}}}
        -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes -o UpdateHostKeys=no
        -o IdentitiesOnly=yes -o IdentityFile=none
"""


@dataclass(frozen=True)
class Answers:
    """What an inventory is made of."""

    address: str
    port: int
    login: str
    # None keeps the one that is there.
    public_url: str | None
    host_key: HostKey
    secrets: dict[str, str] = field(repr=False)


def existing(directory: Path) -> list[Path]:
    """Return what a new inventory in ``directory`` would replace; a hosts.yml that nobody filled in does not count.

    Raises SetupError when ``directory`` is a file.
    """
    if directory.exists() and not directory.is_dir():
        raise SetupError(f"{directory} is a file: name a directory for the inventory.")
    hosts = [directory / "hosts.yml"] if _is_filled_in(directory) else []
    return [*hosts, *filter(Path.exists, [vault_file(directory)])]


def _is_filled_in(directory: Path) -> bool:
    hosts = directory / "hosts.yml"
    return hosts.exists() and BLANK.encode() not in hosts.read_bytes()


def has_variables(directory: Path) -> bool:
    """Return whether ``directory`` has variables of its own: those of a clone that nobody filled in are others'."""
    return _is_filled_in(directory) and (directory / VARIABLES).exists()


def lacks_vault(directory: Path) -> bool:
    """Return whether ``directory`` is the whole inventory of a NAS but for its vault, such as a clone of a team's.

    One that has its vault elsewhere is not, nor one with a link to where none is just now: a second vault would shut
    out the first.
    """
    vault = any(vaults(directory)) or os.path.lexists(vault_file(directory))
    return has_variables(directory) and not vault and _has_hosts(directory)


def other_change(directory: Path) -> str:
    """Return what else to do in ``directory``, whose inventory is somebody's work, than to write all of it anew."""
    vault, others = vault_file(directory), sorted(map(str, vaults(directory)))
    if vault.exists():
        change = "change a secret with `loopdeploy vault set NAME`"
    elif others:
        change = f"its secrets are in {others[0]}, so change one with `ansible-vault edit {shlex.quote(others[0])}`"
    elif vault.is_symlink():
        change = f"bring back what {vault} leads to"
    elif shadowed := _shadowed(directory):
        change = f"move {shadowed} to {directory / VARIABLES} and call again for the vault alone"
    else:
        return ""
    return f"{change}, or "


def _shadowed(directory: Path) -> Path | None:
    """Return the file of variables that Ansible would no longer read beside the directory of the vault."""
    files = (vault_file(directory).parent.with_suffix(suffix) for suffix in (".yml", ".yaml", ".json"))
    return next(filter(Path.exists, files), None)


def _has_hosts(directory: Path) -> bool:
    """Return whether the verbs find a NAS in ``directory``."""
    try:
        return any(loop.get("hosts") or loop.get("children") for loop in _loop_groups(_hosts_yml(directory)))
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        return False


def _hosts_yml(directory: Path) -> Any:
    return yaml.load((directory / "hosts.yml").read_text("utf-8"), Loader=_HostsLoader)


class _HostsLoader(yaml.SafeLoader):
    """Takes what has a tag of Ansible's, `!unsafe` or `!vault`, as the text that it is."""


_HostsLoader.add_multi_constructor("!", lambda loader, tag, node: node.value)


def _loop_groups(groups: Any) -> Iterator[Any]:
    """Return each place in ``groups``, or in the children of one, that says what is in the group `loop`."""
    for name, group in (groups or {}).items():
        if name == "loop":
            yield group or {}
        elif group:
            yield from _loop_groups(group.get("children"))


def lacks_pin(directory: Path) -> bool:
    """Return whether ssh is to read a pinned host key that is not in ``directory``."""
    return KNOWN_HOSTS.encode() in (directory / "hosts.yml").read_bytes() and not (directory / KNOWN_HOSTS).exists()


def kept_beside_a_vault(directory: Path) -> list[str]:
    """Return what of the inventory in ``directory`` stays when it gets a vault alone."""
    return [str(file) for file in (Path("hosts.yml"), Path(KNOWN_HOSTS), LOGIN) if (directory / file).exists()]


def require_sealed(directory: Path) -> None:
    """Find out whether the vault in ``directory``, if there is one, can be kept without a secret in clear.

    Raises SetupError when it is not encrypted.
    """
    vault = vault_file(directory)
    if vault.exists() and (content := vault.read_bytes()).strip():
        require_encrypted(vault, content, otherwise=", or remove it")


def require_alone(directory: Path) -> None:
    """Find out whether a new inventory in ``directory`` would be all that Ansible reads there.

    Raises SetupError when there are other lists of hosts, or secrets behind another vault password.
    """
    strays = [str(path) for path in sorted(directory.glob("*")) if path.name != "hosts.yml" and _is_read(path.name)]
    if strays:
        raise SetupError(
            f"Ansible would read {', '.join(strays[:3])} as a list of hosts, too: choose another directory, or move"
            " that away."
        )
    if shadowed := _shadowed(directory):
        raise SetupError(
            f"Ansible would no longer read {shadowed} beside {vault_file(directory).parent}: move it to"
            f" {directory / VARIABLES}, or choose another directory."
        )
    others = [str(file) for file in vaults(directory) if file != vault_file(directory)]
    if others:
        raise SetupError(
            f"{' and '.join(others)} would not open with the password of another vault: choose another directory, or"
            " move it away."
        )


def _is_read(name: str) -> bool:
    """Return whether Ansible takes what is called ``name`` in an inventory's directory for hosts."""
    settings = ConfigParser()
    settings.read(CONTENT / "ansible.cfg")
    ignored = tuple(settings["inventory"]["ignore_extensions"].split(", "))
    return name not in BESIDE_HOSTS and not name.startswith(".") and not name.endswith(ignored)


def require_room(directory: Path) -> None:
    """Find out whether an inventory can be written into ``directory``.

    Raises SetupError when it cannot, or when Ansible and ssh could not read it there.
    """
    if NO_PATH.search(str(directory.resolve())):
        raise SetupError(
            f'Ansible and ssh could not read what is in {directory.resolve()}: choose a directory without ", \\ or $ in'
            " its path."
        )
    require_writable(directory)
    require_writable(vault_file(directory).parent)


def write_inventory(directory: Path, answers: Answers, vault_password: bytes) -> Iterator[str]:
    """Write the inventory into ``directory``; hosts.yml comes last, so that one without it is no whole one.

    Yield what is done with what was there, each a sentence.
    """
    yield from _kept_hosts(directory)
    yield from _kept_vault(directory)
    # First what can fail.
    write_vault(directory, answers.secrets, vault_password)
    if answers.public_url:
        write_file(directory / VARIABLES, _variables(directory, answers.public_url), 0o644)
    pin(directory, answers.host_key)
    yield from _forgotten_login(directory)
    hosts = HOSTS.format(address=_quoted(answers.address), port=answers.port, login=_quoted(answers.login))
    write_file(directory / "hosts.yml", hosts.encode(), 0o644)


def write_vault(directory: Path, secrets: dict[str, str], vault_password: bytes) -> None:
    """Write ``secrets`` into the vault of the inventory in ``directory``, and nothing else."""
    text = HEAD + "".join(secret_line(name, value) for name, value in secrets.items())
    close_vault(vault_file(directory), text, vault_password)


def _variables(directory: Path, public_url: str) -> bytes:
    """Return the variables that are there, or else loopdeploy's own, with ``public_url``."""
    file = directory / VARIABLES
    text = (file if file.exists() else TEMPLATE / VARIABLES).read_bytes()
    line = f"loop_public_url: {public_url}\n".encode()
    changed, found = PUBLIC_URL.subn(line, text)
    return changed if found else text.rstrip() + b"\n" + line


def _kept_hosts(directory: Path) -> Iterator[str]:
    """Keep the old hosts.yml, which may name more than is asked, with an ending that Ansible takes for no inventory."""
    if _is_filled_in(directory):
        hosts = directory / "hosts.yml"
        kept = _unused(hosts.with_name(f"hosts.yml{number}.bak") for number in _numbers())
        write_file(kept, hosts.read_bytes(), hosts.stat().st_mode & 0o777)
        yield f"The old hosts.yml is kept as {kept}: delete it once you need nothing of it."


def _kept_vault(directory: Path) -> Iterator[str]:
    """Keep the old vault, which may hold more than is asked, under a name that Ansible does not read."""
    vault = vault_file(directory)
    if vault.exists():
        kept = _unused(vault.with_name(f"{vault.name}.old{number}") for number in _numbers())
        write_file(kept, vault.read_bytes(), 0o600)
        yield f"The old vault is kept as {kept}, with its old password: delete it once you need nothing of it."


def _numbers() -> Iterator[str]:
    return chain([""], map(str, count(2)))


def _unused(names: Iterator[Path]) -> Path:
    return next(name for name in names if not name.exists())


def _forgotten_login(directory: Path) -> Iterator[str]:
    """Remove what `bootstrap` wrote of the NAS that was: its key would log in, not the password that was just given."""
    login = directory / LOGIN
    if login.exists():
        login.unlink()
        yield f"{login} is removed: `loopdeploy bootstrap` lets a key log in again."


def pin(directory: Path, host_key: HostKey) -> None:
    """Let ``host_key`` be the only one that is accepted of the NAS in ``directory``."""
    write_file(directory / KNOWN_HOSTS, host_key.line.encode(), 0o644)


def way_to_nas(directory: Path) -> tuple[str, int | None, list[str]]:
    """Return where the one NAS of the inventory in ``directory`` is, and with which arguments Ansible calls ssh.

    The port is None where ssh's configuration is to name it. Raises SetupError when that does not stand in its
    hosts.yml, or when that takes host keys from elsewhere.
    """
    hosts = directory / "hosts.yml"
    try:
        loop = _hosts_yml(directory)["loop"]
        [own] = loop["hosts"].values()
        host = {**(loop.get("vars") or {}), **own}
        address, port = str(host["ansible_host"]), host.get("ansible_port")
        port = None if port is None else int(port)
        arguments = str(host.get("ansible_ssh_common_args", ""))
    except (OSError, LookupError, TypeError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise SetupError(
            f"{hosts} names no address and port of one NAS: make it with `loopdeploy init`, or pin the host key in"
            f" {directory / KNOWN_HOSTS} by hand."
        ) from error
    if KNOWN_HOSTS not in arguments:
        raise SetupError(
            f"{hosts} does not let ssh read {KNOWN_HOSTS}, so a key that is pinned there would not count: give the NAS"
            " the ansible_ssh_common_args that `loopdeploy init` writes."
        )
    return address, port, _taken_apart(arguments, directory)


def _taken_apart(arguments: str, directory: Path) -> list[str]:
    """Return each of the ``arguments`` of ssh, with what Ansible would put in the place of the usual templates."""
    # Which file has the pinned keys does not matter on the way to another one.
    plain = NO_WAY.sub(r"\1=none", OWN_TEMPLATE.sub("UserKnownHostsFile=none", arguments))
    plain = DIRECTORY_TEMPLATE.sub(lambda _: str(directory.absolute()), plain)
    mend = f"in {directory / 'hosts.yml'} cannot be read"
    if template := re.search(r"\{[{%#].*?[}%#]\}", plain, re.DOTALL):
        raise SetupError(
            f"{template[0]} of ansible_ssh_common_args {mend} without Ansible: write there what it stands for, or pin"
            f" the host key in {directory / KNOWN_HOSTS} by hand."
        )
    try:
        return shlex.split(plain)
    except ValueError as error:
        raise SetupError(f"The ansible_ssh_common_args {mend}: close the quote in them.") from error


def _quoted(text: str) -> str:
    return yaml.safe_dump(text, default_style='"', width=math.inf).strip()
