"""An inventory's vault.yml, opened and closed with ansible-core's own vault, and never on disk in clear."""

from __future__ import annotations

import math
import re
import shlex
from pathlib import Path

import yaml

from loopdeploy.ansible_settings import own_ansible
from loopdeploy.errors import SetupError
from loopdeploy.writing import write_file

SSH_PASSWORD = "vault_ssh_password"
SUDO_PASSWORD = "vault_sudo_password"
OPENAI_API_KEY = "vault_openai_api_key"
ANTHROPIC_API_KEY = "vault_anthropic_api_key"
NAMES = (SSH_PASSWORD, SUDO_PASSWORD, OPENAI_API_KEY, ANTHROPIC_API_KEY)

# What YAML and Ansible call a text.
TEXT = {"tag:yaml.org,2002:str", "!unsafe", "!vault"}
# What YAML calls nothing: an API key that the vault does not have.
NOTHING = "tag:yaml.org,2002:null"
API_KEYS = {OPENAI_API_KEY, ANTHROPIC_API_KEY}

# The vault id in the first line of a vault that has one.
LABEL = re.compile(rb"\$ANSIBLE_VAULT;1\.2;\w+;([!-~]+)\n")

HEAD = """\
# Change a line with `loopdeploy vault set NAME`. `!unsafe` keeps Ansible from reading a password that has {{ or {% in
# it as a template.
"""


def directory_of(inventory: Path) -> Path:
    """Return where the variables of ``inventory`` lie: in the directory, be it yet to be made, or beside the file."""
    return inventory.parent if inventory.exists() and not inventory.is_dir() else inventory


def vault_file(inventory: Path) -> Path:
    """Return where the vault of ``inventory``, a directory or a file, is kept."""
    return directory_of(inventory) / "group_vars" / "loop" / "vault.yml"


def open_vault(file: Path, password: bytes) -> str:
    """Return the text in the vault ``file``.

    Raises SetupError when there is none, when ``password`` does not open it, or when it is damaged.
    """
    with own_ansible():
        from ansible.errors import AnsibleError
        from ansible.parsing.vault import AnsibleVaultFormatError
        from ansible.parsing.vault import VaultLib
        from ansible.parsing.vault import VaultSecret

    sealed = _read(file)
    try:
        return str(VaultLib([("default", VaultSecret(password))]).decrypt(sealed).decode())
    except (AnsibleVaultFormatError, ValueError) as error:
        raise SetupError(f"The vault {file} is damaged and cannot be decrypted: restore it from a backup.") from error
    except AnsibleError as error:
        raise SetupError(
            f"The vault password does not open {file}: give the right one; when it is right, the vault was damaged or"
            " tampered with, so restore it from a backup."
        ) from error


def close_vault(file: Path, text: str, password: bytes) -> None:
    """Encrypt ``text`` into ``file``, for its owner alone; it keeps its vault id."""
    label = LABEL.match(file.read_bytes()) if file.exists() else None
    vault_id = label[1].decode() if label else None
    with own_ansible():
        from ansible.parsing.vault import VaultLib
        from ansible.parsing.vault import VaultSecret

        secret = VaultSecret(password)
        sealed = VaultLib().encrypt(text, secret, vault_id=vault_id)
        opened = VaultLib([("default", secret)]).decrypt(sealed).decode()
    # The old one goes: what cannot be opened must not come in its place.
    if opened != text:
        raise SetupError(f"{file} was not changed: what was encrypted does not open again; try once more.")
    # The operator may keep it elsewhere, and have a link here.
    write_file(file.resolve(), sealed, 0o600)


def require_encrypted(file: Path, content: bytes, otherwise: str = "") -> None:
    """Find out whether ``content``, of the vault ``file``, is encrypted.

    Raises SetupError when it is not; ``otherwise`` is what else can be done.
    """
    with own_ansible():
        from ansible.parsing.vault import is_encrypted

    if not is_encrypted(content):
        encrypt = f"ansible-vault encrypt {shlex.quote(str(file))}"
        raise SetupError(f"The vault {file} is not encrypted: encrypt it with `{encrypt}`{otherwise}.")


def _read(file: Path) -> bytes:
    try:
        sealed = file.read_bytes()
    except FileNotFoundError as error:
        raise SetupError(f"There is no vault {file}: make one with `loopdeploy init`.") from error
    except OSError as error:
        raise SetupError(f"The vault {file} cannot be read: {error.strerror}.") from error
    require_encrypted(file, sealed)
    return sealed


def secret_line(name: str, value: str) -> str:
    """Return the line that gives the variable ``name`` exactly ``value``."""
    # In quotes and escaped, it is one line whatever is in it.
    return f"{name}: !unsafe {yaml.safe_dump(value, default_style=chr(34), width=math.inf).strip()}\n"


def with_secret(text: str, name: str, value: str) -> str:
    """Return the vault's ``text`` with ``name`` set to ``value``, and everything else as it was.

    Raises SetupError when the text is not a plain list of variables, in which that line alone can be changed.
    """
    line = secret_line(name, value)
    changed = _with_line(text, name, line)
    try:
        right = _values(changed) == {**_values(text), **_values(line)}
    except SetupError:
        right = False
    if not right:
        raise SetupError(
            f"{name} cannot be set without changing more of the vault's text, which has an alias or an end of its own:"
            " change it with `loopdeploy vault edit`."
        )
    return changed


def _values(text: str) -> dict[str, str]:
    """Return what each variable is, aliases and tags included; of two of one name the last counts."""
    return {str(key.value): yaml.serialize(value, width=math.inf) for key, value in read_variables(text)}


def _with_line(text: str, name: str, line: str) -> str:
    """Return ``text`` with ``line`` in the place of the last one that sets ``name``, or behind everything."""
    parsed = read_variables(text)
    for key, old in reversed(parsed):
        if key.value == name:
            # The value of the next line begins where this one's ends.
            end = old.end_mark.index + (
                0 if text[: old.end_mark.index].endswith("\n") else _rest(text, old.end_mark.index)
            )
            return text[: key.start_mark.index] + line + text[end:]
    return text + ("" if not text or text.endswith("\n") else "\n") + line


def _rest(text: str, index: int) -> int:
    """Return how many characters, a comment and the line's end, follow ``index`` in its line."""
    match = re.compile(r"[^\n]*\n?").match(text, index)
    return len(match[0]) if match else 0


def read_variables(text: str) -> list[tuple[yaml.Node, yaml.Node]]:
    """Return the variables in the vault's ``text``, each key and value with its place.

    Raises SetupError, which quotes nothing of the text, when it is not a plain list of variables.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise SetupError(f"The text of the vault is not YAML{where}: mend it with `loopdeploy vault edit`.") from error
    if root is None or not root.value:
        return []
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise SetupError("The text of the vault is not lines of `NAME: VALUE`: mend it with `loopdeploy vault edit`.")
    return list(root.value)


def require_text(text: str) -> None:
    """Raise SetupError, which quotes no value, unless each secret in the vault's ``text`` is text.

    Without quotes YAML makes a number of 0123, and a list or a mapping of what begins with a bracket.
    """
    for key, value in read_variables(text):
        missing = value.tag == NOTHING and key.value in API_KEYS
        if key.value in NAMES and value.tag not in TEXT and not missing:
            raise SetupError(
                f"The value of {key.value} at line {key.start_mark.line + 1} is no text: put it in quotes."
            )
