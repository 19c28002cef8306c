"""The command ``loopdeploy init``: a new NAS in an inventory of its own."""

from __future__ import annotations

import re
from pathlib import Path

import click

from loopdeploy.env_file import api_keys
from loopdeploy.errors import SetupError
from loopdeploy.host_key import HostKey
from loopdeploy.host_key import fetch_host_keys
from loopdeploy.host_key import with_fingerprint
from loopdeploy.new_inventory import KNOWN_HOSTS
from loopdeploy.new_inventory import Answers
from loopdeploy.new_inventory import existing
from loopdeploy.new_inventory import has_variables
from loopdeploy.new_inventory import kept_beside_a_vault
from loopdeploy.new_inventory import lacks_pin
from loopdeploy.new_inventory import lacks_vault
from loopdeploy.new_inventory import other_change
from loopdeploy.new_inventory import pin
from loopdeploy.new_inventory import require_alone
from loopdeploy.new_inventory import require_room
from loopdeploy.new_inventory import require_sealed
from loopdeploy.new_inventory import way_to_nas
from loopdeploy.new_inventory import write_inventory
from loopdeploy.new_inventory import write_vault
from loopdeploy.options import local_options
from loopdeploy.questions import ask
from loopdeploy.questions import confirm
from loopdeploy.questions import on_terminal
from loopdeploy.questions import read_file
from loopdeploy.questions import read_secret
from loopdeploy.ssh_route import route
from loopdeploy.target import Target
from loopdeploy.vault_file import ANTHROPIC_API_KEY
from loopdeploy.vault_file import OPENAI_API_KEY
from loopdeploy.vault_file import SSH_PASSWORD
from loopdeploy.vault_file import SUDO_PASSWORD
from loopdeploy.vault_file import vault_file
from loopdeploy.vault_password import VaultPassword
from loopdeploy.vault_password import new_password
from loopdeploy.vault_password import password_from

FINGERPRINT_OPTION = "--host-key-fingerprint"
# A host name, or an IP address with its zone.
ADDRESS = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*")
# What ssh would take for an option or for its own, or Ansible for a template; a blank at an end is a slip. A backslash
# parts a domain from a login. Python has surrogates for what is not in the locale's encoding.
NO_LOGIN = re.compile(r"""^[-\s]|\s$|[\x00-\x1f\x7f-\x9f\ud800-\udfff:{}"'%;&|()<>`]|\\(\\|$)""")
# An issuer of OAuth, which clients compare byte by byte with what they make of it: small letters, and no port that goes
# without saying.
PUBLIC_URL = re.compile(r"https://([a-z0-9.-]+|\[[0-9a-f:]+\])(:(?!443$)[1-9][0-9]{0,4})?")


@click.command()
@local_options
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@click.option("--address", metavar="HOST", help="Name or address of the NAS.")
@click.option("--port", type=click.IntRange(1, 65535), help="Its SSH port.")
@click.option("--login", metavar="USER", help="A login of DSM's group administrators.")
@click.option("--public-url", metavar="URL", help="https:// and the name under which the services are public.")
@click.option("--ssh-password-file", metavar="FILE", help="File with the login's password; `-` is standard input.")
@click.option("--sudo-password-file", metavar="FILE", help="File with the sudo password, where it is another one.")
@click.option("--openai-api-key-file", metavar="FILE", help="File with the OpenAI API key; before the `.env`.")
@click.option("--anthropic-api-key-file", metavar="FILE", help="File with the Anthropic API key; before the `.env`.")
@click.option("--from-env-file", metavar="FILE", help="Take the API keys out of this `.env`.")
@click.option(FINGERPRINT_OPTION, metavar="SHA256:…", help="The host key must have this fingerprint.")
@click.option("--replace", is_flag=True, help="Write the inventory anew when there is one.")
@click.option("--pin", "only_pin", is_flag=True, help="Only pin the host key anew, after the NAS got another one.")
def init(
    target: Target,
    directory: Path | None,
    address: str | None,
    port: int | None,
    login: str | None,
    public_url: str | None,
    host_key_fingerprint: str | None,
    replace: bool,
    only_pin: bool,
    **files: str | None,
) -> None:
    """Ask for a NAS and its credentials, and write an inventory.

    That is DIRECTORY with an encrypted vault: inventory/production, where the other verbs look. What an option gives is
    not asked; where the vault alone is missing, as in a clone of another operator's, only that is.
    """
    if [*files.values(), target.vault_password_file].count("-") > 1:
        raise click.UsageError("Only one option can take what it needs from standard input.")
    directory = directory or _directory(target)
    if only_pin:
        pin(directory, _host_key(*way_to_nas(directory), host_key_fingerprint))
        pinned = f"The host key is pinned in {directory / KNOWN_HOSTS}: see with `loopdeploy doctor` that it counts."
        click.echo(_advised(pinned, directory))
        return
    if lacks_vault(directory) and not replace:
        _require_nothing_for(directory, address, port, login, public_url, host_key_fingerprint)
        _add_vault(directory, files, target)
        return
    _require_leave(directory, replace)
    require_alone(directory)
    require_room(directory)
    address = _address(address or ask("Address of the NAS", "--address"))
    port = port or _port(address)
    login = _login(login or ask("Login", "--login"))
    public_url = _public_url(public_url, directory)
    host_key = _host_key(address, port, [], host_key_fingerprint)
    answers = Answers(address, port, login, public_url, host_key, secrets=_secrets(files))
    for sentence in write_inventory(directory, answers, _new_vault_password(target)):
        click.echo(_advised(sentence, directory), err=True)
    written = f"The inventory {directory} is written and its vault encrypted: go on with `loopdeploy bootstrap`."
    click.echo(_advised(written, directory))


def _directory(target: Target) -> Path:
    if target.inventory == "lab":
        raise SetupError("The inventory lab comes with loopdeploy: name another one for your NAS with -i.")
    is_path = "/" in target.inventory or Path(target.inventory).exists()
    return Path(target.inventory) if is_path else Path("inventory", target.inventory)


def _advised(text: str, directory: Path) -> str:
    """Return ``text`` with ``directory`` in each command that it advises, by the name that -i takes."""
    named = directory.name if directory.parent == Path("inventory") else str(directory)
    return Target(inventory=named).advised(text)


def _require_nothing_for(directory: Path, *given: object) -> None:
    """Refuse what is ``given`` for the files that are kept beside a new vault: it would not count."""
    options = ("--address", "--port", "--login", "--public-url", FINGERPRINT_OPTION)
    useless = [option for option, value in zip(options, given, strict=True) if value is not None]
    if useless:
        raise SetupError(
            f"{directory} already has hosts.yml and lacks only the vault, and nothing was changed: leave out"
            f" {', '.join(useless)}, or write all of it anew with --replace."
        )


def _add_vault(directory: Path, files: dict[str, str | None], target: Target) -> None:
    """Give the inventory in ``directory``, whose files another operator shared, this operator's own vault."""
    require_room(directory)
    kept = " and ".join(kept_beside_a_vault(directory))
    click.echo(f"{directory} lacks only the vault, so nothing else is asked: {kept} will be kept.", err=True)
    write_vault(directory, _secrets(files), _new_vault_password(target))
    pin_first = "pin the host key with `loopdeploy init --pin`, then " if lacks_pin(directory) else ""
    written = f"The vault {vault_file(directory)} is written and encrypted, and {kept} kept: {pin_first}go on with"
    click.echo(_advised(f"{written} `loopdeploy bootstrap`.", directory))


def _require_leave(directory: Path, replace: bool) -> None:
    there = [str(file.relative_to(directory)) for file in existing(directory)]
    require_sealed(directory)
    if not there or replace:
        return
    kept = f"{directory} already has {' and '.join(there)}, and nothing was changed"
    change = f"{other_change(directory)}write all of it anew with --replace."
    if not on_terminal():
        raise SetupError(_advised(f"{kept}: {change}", directory))
    if not confirm(f"{kept}; write it anew?", "--replace"):
        raise SetupError(_advised(f"Nothing was changed in {directory}: {change}", directory))


def _address(text: str) -> str:
    # An IPv6 address, as it stands in a URL.
    text = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not ADDRESS.fullmatch(text):
        raise SetupError(f"{text!r} is neither a host name nor an IP address: correct --address.")
    return text


def _login(text: str) -> str:
    if NO_LOGIN.search(text):
        raise SetupError(
            f"{text!r} cannot be a login: correct --login, which begins with neither a hyphen nor a blank, ends with"
            " neither a blank nor a backslash, and has no colon, quote, brace, percent sign or sign of a shell's in it."
        )
    return text


def _port(address: str) -> int:
    """Return the port that is typed; unless another one is, the one of ssh's configuration, which is mostly 22."""
    default = str(route(address).port)
    text = ask("SSH port", "--port", default=default) if on_terminal() else default
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise SetupError(f"{text!r} is no port: give --port a number from 1 to 65535.")
    return int(text)


def _public_url(given: str | None, directory: Path) -> str | None:
    """Return what was ``given``, or typed; None where the inventory in ``directory`` has its own already."""
    if given is None and has_variables(directory):
        return None
    url = given or ask("Public URL of the services (https://NAME)", "--public-url")
    if not PUBLIC_URL.fullmatch(url):
        raise SetupError(
            f"{url!r} is no public URL: give --public-url https:// and a name in small letters, a port where it is not"
            " 443, and nothing behind that, no slash either."
        )
    return url


def _host_key(address: str, port: int | None, arguments: list[str], fingerprint: str | None) -> HostKey:
    if not fingerprint and not on_terminal():
        raise SetupError(
            f"The host key of {address} must be compared and there is no terminal to ask on: give {FINGERPRINT_OPTION}."
        )
    keys = fetch_host_keys(address, port, arguments)
    if fingerprint:
        return with_fingerprint(keys, fingerprint)
    click.echo(f"The NAS's host key: {keys[0].kind} {keys[0].fingerprint}", err=True)
    click.echo(f"On the NAS itself it is shown by: {keys[0].command}", err=True)
    if not confirm("Is it the same?", FINGERPRINT_OPTION):
        raise SetupError(
            f"Nothing was written, because somebody else may answer at {address}: correct the address, or call again"
            " once the NAS shows the same host key."
        )
    return keys[0]


def _secrets(files: dict[str, str | None]) -> dict[str, str]:
    """Return the vault's variables; whatever no file gives is asked."""
    found = _from_env_file(files)
    ssh = _secret(files, "ssh_password", "Password of the login")
    sudo = _secret(files, "sudo_password", "Password for sudo [the same]", otherwise=ssh)
    return {
        SSH_PASSWORD: ssh,
        SUDO_PASSWORD: sudo,
        OPENAI_API_KEY: found.get("openai_api_key")
        or _secret(files, "openai_api_key", "OpenAI API key [the one in .env on the NAS]", otherwise=""),
        ANTHROPIC_API_KEY: found.get("anthropic_api_key")
        or _secret(files, "anthropic_api_key", "Anthropic API key [the one in .env on the NAS]", otherwise=""),
    }


def _secret(files: dict[str, str | None], name: str, question: str, otherwise: str | None = None) -> str:
    """Return a secret out of its file, or as it is typed; nothing typed is ``otherwise``, when that is given."""
    option = f"--{name.replace('_', '-')}-file"
    if file := files[f"{name}_file"]:
        return read_secret(file, option)
    if otherwise is None:
        return ask(question, option, secret=True)
    return (ask(question, option, default="", secret=True) if on_terminal() else "") or otherwise


def _from_env_file(files: dict[str, str | None]) -> dict[str, str]:
    """Return each API key, by the name of its option, that the `.env` has and no option of its own gives."""
    env_file = files["from_env_file"]
    found: dict[str, str] = {}
    if env_file is None:
        return found
    try:
        keys = api_keys(read_file(env_file, "--from-env-file"))
    except ValueError as error:
        raise SetupError(f"The file {env_file} cannot be understood: mend it; {error}.") from error
    for name, value in keys.items():
        if own := files[f"{name.lower()}_file"]:
            click.echo(f"{name} comes from {own}, and not from {env_file}")
        else:
            click.echo(f"{name} {'comes from' if value else 'is not in'} {env_file}")
            found[name.lower()] = value
    return found


def _new_vault_password(target: Target) -> bytes:
    if target.vault_password_file == "-":
        return new_password(VaultPassword(secret=read_secret("-", "--vault-password-file")))
    if target.vault_password_file:
        return new_password(password_from(target.vault_password_file, "--vault-password-file"))
    typed = ask("New vault password", "--vault-password-file", secret=True, twice=True)
    return new_password(VaultPassword(secret=typed))
