"""Files, directories and disks of the NAS as doctor.sh told of them."""

from __future__ import annotations

import shlex
from typing import Any

from ansible.module_utils.loop_doctor_told import Told
from ansible.module_utils.loop_finding import Verdict
from ansible.module_utils.loop_finding import failed
from ansible.module_utils.loop_finding import ok
from ansible.module_utils.loop_finding import unasked
from ansible.module_utils.loop_finding import warning


def check_state(told: Told, params: dict[str, Any]) -> Verdict:
    """Judge whether the state directory is there, and root's alone."""
    mode, _, owner = told.one("state").partition(" ")
    if not mode:
        return failed(f"there is no {params['state_dir']}: `loopdeploy bootstrap` makes it")
    if mode == "link":
        return failed(f"{params['state_dir']} links to {owner}: move it away, or set loop_state_dir to what it names")
    if mode == "file":
        return failed(f"{params['state_dir']} is no directory: move it away, and `loopdeploy bootstrap` makes one")
    if owner != "0" or int(mode, 8) & 0o22:
        return failed(
            f"{params['state_dir']} has mode {mode} and owner {owner}, so others may have put anything into it, and"
            " root runs Python from it: move it away on the NAS, and `loopdeploy bootstrap` makes a new one"
        )
    if int(mode, 8) & 0o77:
        return failed(
            f"{params['state_dir']} has mode {mode}, so others may read the keys in its backups: on the NAS,"
            f" `sudo chmod 700 {shlex.quote(params['state_dir'])}`"
        )
    return ok(f"{params['state_dir']}, root's alone")


def check_space(what: str, told: Told, params: dict[str, Any]) -> Verdict:
    """Judge the free space for ``what``."""
    if not told.one(f"space-{what}"):
        return unasked("the NAS does not say")
    free, _, mount = told.one(f"space-{what}").partition(" ")
    if int(free) < params["free"]:
        return failed(f"{mount} has {free} MB left and a build needs {params['free']}: free space on the NAS")
    return ok(f"{free} MB on {mount}")


def check_checkout(told: Told, params: dict[str, Any]) -> Verdict:
    """Judge whether the LOOP checkout is where the inventory says."""
    if not told.has("checkout"):
        return failed(f"there is no {params['loop_dir']}: clone LOOP there, or set loop_dir in the inventory")
    if not told.one("checkout"):
        return warning(f"{params['loop_dir']} is no git checkout, or git is missing: releases are called `unknown`")
    return ok(f"{params['loop_dir']} at {told.one('checkout')}")


def check_dockerfiles(told: Told, params: dict[str, Any]) -> Verdict:
    """Judge whether there is all that is built from."""
    return _paths("dockerfile", "sync the checkout, or set loop_dir", told)


def check_sources(told: Told, params: dict[str, Any]) -> Verdict:
    """Judge whether there is all that the containers mount; those are directories."""
    # git clones into no directory that has something in it.
    first = "" if told.has("checkout") else "once LOOP is cloned, "
    return _paths("source", first + "on the NAS, `sudo mkdir -p {}`, or mend the inventory's path", told)


def _paths(kind: str, repair: str, told: Told) -> Verdict:
    """Return whether all paths of a kind exist; those that do not are put into ``repair``."""
    paths = [line.partition(" ") for line in told.all(kind)]
    missing = [path for state, _, path in paths if state == "missing"]
    if missing:
        return failed(f"there is no {', no '.join(missing)}: {repair.format(' '.join(map(shlex.quote, missing)))}")
    return ok(", ".join(path for _, _, path in paths))


def check_signing_keys(told: Told, params: dict[str, Any]) -> Verdict:
    """Judge whether others may read a private key; one is enough to sign in as anybody."""
    if not told.has("key"):
        return ok("none yet: loop-auth makes one when it first starts")
    return _private([*told.all("keys"), *told.all("key")]) or ok("their owner's alone")


def check_env(told: Told, params: dict[str, Any]) -> Verdict:
    """Judge whether others may read .env."""
    if not told.has("env"):
        return ok("there is none")
    return _private(told.all("env")) or ok("its owner's alone")


def check_api_key(name: str, told: Told, params: dict[str, Any]) -> Verdict:
    """Judge whether an API key is there, without looking at it."""
    if params["api_keys"][name]:
        return ok("in the vault")
    file = told.one("env").partition(" ")[2]
    if told.has("open-quote"):
        return failed(
            f"a deployment refuses {file}, because the quote in its line of {told.one('open-quote')} is not closed:"
            " close it on the NAS"
        )
    if name in told.all("api-key"):
        return ok(f"in {file}")
    return warning(
        f"neither in the vault nor in .env: give it to the vault with `loopdeploy vault set vault_{name.lower()}`"
    )


def _private(lines: list[str]) -> Verdict | None:
    """Return what to say of those of ``lines``, mode and path each, that others than the owner may use."""
    for mode, _, path in [line.partition(" ") for line in lines]:
        if int(mode, 8) & 0o077:
            wanted = "700" if int(mode, 8) & 0o100 else "600"
            return failed(f"others may read {path}, mode {mode}: on the NAS, `sudo chmod {wanted} {shlex.quote(path)}`")
    return None
