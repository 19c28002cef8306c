"""Letting an SSH key log in, where DSM's sshd refuses it for a home directory that others may write."""

from __future__ import annotations

import contextlib
import os
import pwd
import tempfile
from typing import Any
from typing import Iterator

from ansible.module_utils.loop_problem import Problem

# What sshd's StrictModes refuses: that a group or others may write.
WRITABLE = 0o022


def authorize(user: str, key: str, check_mode: bool) -> dict[str, Any]:
    """Return the facts of RETURN, or raise a Problem."""
    account = _account(user)
    changed = _mend_home(account, check_mode)
    if os.path.isdir(account.pw_dir):
        with _as(account):
            changed += _mend_keys(account.pw_dir, key, check_mode)
    return {"changed": bool(changed), "home": account.pw_dir, "mended": changed}


def _account(user: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise Problem(f"The NAS has no user {user}: correct ansible_user.") from None


def _mend_home(account: pwd.struct_passwd, check_mode: bool) -> list[str]:
    """Make the home directory when there is none, and return what was done to it."""
    home = account.pw_dir
    if os.path.isdir(home):
        if not os.stat(home).st_mode & WRITABLE:
            return []
        with _held(home) as descriptor:
            if not check_mode:
                os.fchmod(descriptor, os.fstat(descriptor).st_mode & 0o7777 & ~WRITABLE)
        return [f"others may no longer write {home}"]
    # DSM leaves them out while its user home service is off, and says where they would be nevertheless.
    if os.path.basename(home) != account.pw_name or not os.path.isdir(os.path.dirname(home)):
        raise Problem(
            f"{account.pw_name} has no home directory on the NAS, and {home} cannot be made: enable the user home"
            " service in DSM's Control Panel, User & Group, Advanced."
        )
    if not check_mode:
        os.mkdir(home, 0o700)
        with _held(home) as descriptor:
            if os.fstat(descriptor).st_uid != os.geteuid() or os.listdir(descriptor):
                raise Problem(f"{home} is not what was just made: see who may write the directory above it.")
            os.fchown(descriptor, account.pw_uid, account.pw_gid)
            os.fchmod(descriptor, 0o755)
    return [f"{home} was made"]


@contextlib.contextmanager
def _held(directory: str) -> Iterator[int]:
    """Hold on to ``directory`` itself: root must not follow a link that somebody puts in its place meanwhile."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        if os.path.islink(directory):
            raise Problem(
                f"{directory} is a link, which root does not follow: where it leads, take from others the right to"
                " write."
            ) from error
        raise
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _mend_keys(home: str, key: str, check_mode: bool) -> list[str]:
    """Put ``key`` among the authorized ones, and return what was done."""
    directory = os.path.join(home, ".ssh")
    file = os.path.realpath(os.path.join(directory, "authorized_keys"))
    lines = _lines(file)
    known = any(key.split()[1] in line.split() for line in lines if not line.startswith("#"))
    done = [] if known else [f"the key was put into {file}"]
    if not check_mode:
        os.makedirs(directory, mode=0o700, exist_ok=True)
    for path, mode in ((directory, 0o700), (file, 0o600)):
        if os.path.exists(path) and os.stat(path).st_mode & 0o7777 & WRITABLE:
            done.append(f"others may no longer write {path}")
            if not check_mode:
                os.chmod(path, mode)
    if not known and not check_mode:
        _replace(file, lines + [key])
    return done


def _lines(file: str) -> list[str]:
    try:
        with open(file, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read().splitlines()
    except FileNotFoundError:
        return []


def _replace(file: str, lines: list[str]) -> None:
    """Write ``file`` whole or not at all: a half of it would lock the operator out."""
    descriptor, partial = tempfile.mkstemp(prefix=".authorized_keys.", dir=os.path.dirname(file))
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write("".join(line + "\n" for line in lines))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, file)
    except BaseException:
        os.unlink(partial)
        raise


@contextlib.contextmanager
def _as(account: pwd.struct_passwd) -> Iterator[None]:
    """Be the user in his own directory: root would follow any link there."""
    if os.geteuid() != 0:
        yield
        return
    groups, gid = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)
