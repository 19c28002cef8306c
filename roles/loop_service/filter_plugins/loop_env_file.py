"""The API keys in the `.env` of the old one-liners, and where each key comes from."""

from __future__ import annotations

from ansible.errors import AnsibleFilterError

from loopdeploy.env_file import api_keys


def loop_env_file(text: str) -> dict[str, str]:
    """Return each API key as the file with ``text`` sets it, empty where it does not."""
    try:
        return api_keys(text)
    except ValueError as error:
        raise AnsibleFilterError(f"The .env on the NAS cannot be understood: {error}; mend it there.") from error


def loop_key_sources(keys: dict[str, str], text: str, file: str) -> list[str]:
    """Return where each of ``keys`` comes from, the vault's own value or ``text`` of ``file``; never the value."""
    found = loop_env_file(text)
    return [
        f"{name} comes from {'the vault' if value else file}"
        if value or found[name]
        else f"{name} is empty: neither the vault nor {file} has it"
        for name, value in keys.items()
    ]


class FilterModule:
    """The filters of this file, as Ansible looks for them."""

    def filters(self) -> dict[str, object]:
        """Return each filter by its name."""
        return {"loop_env_file": loop_env_file, "loop_key_sources": loop_key_sources}
