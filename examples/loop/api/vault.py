"""The vault on disk: every file of it that loop-api opens, lists or replaces goes through here.

A path is resolved and judged once (``guard.py``), then opened name by name from the vault's own directory without
following any symlink: one that is swapped in meanwhile makes the call fail instead of leading it astray.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import contextmanager
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from pathlib import PurePosixPath
from typing import NamedTuple

from api import guard
from api.errors import BadPath
from api.errors import NotFound
from api.errors import NotStored
from api.errors import ReadOnly
from api.errors import Refused
from api.errors import ScopeMissing
from api.errors import TooLarge
from api.errors import VaultGone
from api.scopes import ALL
from api.scopes import EXEC

MAX_NOTE_BYTES = 1024 * 1024
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not to hang on a pipe that is called a note.
NOTE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# On a walk: deleted or swapped while we looked, or not for us.
PASSING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EPERM)
EVERYTHING = frozenset(ALL)
# Known by their inode too, should a mount or a case-insensitive file system give them a second name.
PRIVATE = (*guard.PRIVATE_TREES, (".git",))

Identity = tuple[int, int]
Signature = tuple[int, int, int, int]


class Found(NamedTuple):
    """A note met on a walk: its path, and a signature that differs once the file was changed."""

    path: str
    in_exec: bool
    size: int
    modified: float
    signature: Signature

    @property
    def stem(self) -> str:
        """The note's name without what makes it a note."""
        return PurePosixPath(self.path).stem


@dataclass(frozen=True)
class Place:
    """An opened folder of the vault and the name of a note in it."""

    folder: int
    name: str
    path: str


class Vault:
    """The directory ``root``, with the read-only ``exec_root`` inside it."""

    def __init__(self, root: Path, exec_root: Path):
        self.root = root
        self.exec_parts = exec_root.relative_to(root).parts
        self._exec_names = tuple(guard.folded(part) for part in self.exec_parts)
        self._seen: Identity | None = None

    def in_exec(self, parts: tuple[str, ...]) -> bool:
        """Tell whether ``parts`` name the read-only vault or something in it."""
        names = tuple(guard.folded(part) for part in parts[: len(self._exec_names)])
        return names == self._exec_names

    def resolve(self, path: str, scopes: frozenset[str]) -> tuple[str, ...]:
        """Return the real names that lead to ``path``; raises what guard.resolve does, or ScopeMissing."""
        if EXEC not in scopes and self.in_exec(tuple(path.split("/"))):
            raise ScopeMissing(EXEC)
        parts = guard.resolve(self.root, path)
        if EXEC not in scopes and self.in_exec(parts):
            raise ScopeMissing(EXEC)
        return parts

    @contextmanager
    def open_root(self) -> Iterator[int]:
        """Open the vault's directory; raises VaultGone when it is not the vault any more.

        An empty directory that never held the vault is a bare mount point, in which nothing may be written.
        """
        try:
            root = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise _gone(error) from error
        try:
            self._check_root(root)
            yield root
        finally:
            os.close(root)

    def _check_root(self, root: int) -> None:
        try:
            status = os.fstat(root)
            removed = status.st_nlink == 0
            if _identity(status) != self._seen and not removed:
                removed = not set(os.listdir(root)) - {self.exec_parts[0]}
        except OSError as error:
            raise _gone(error) from error
        if removed:
            raise _gone(None)
        self._seen = _identity(status)

    @contextmanager
    def place(
        self, path: str, scopes: frozenset[str], writing: bool = False, make_folders: bool = False
    ) -> Iterator[Place]:
        """Open the folder of the note ``path``, made when ``make_folders`` says so and left when the caller succeeds.

        Raises NoteError: BadPath, Refused, ScopeMissing, NotFound or VaultGone; for ``writing`` ReadOnly, NotStored.
        """
        with ExitStack() as stack:
            root = stack.enter_context(self.open_root())
            # Nobody writes below exec, so the scope that reads it is not asked of a writer.
            parts = self.resolve(path, EVERYTHING if writing else scopes)
            if not parts or not guard.is_note(parts[-1]) or not guard.is_note(path):
                raise BadPath(f"{path!r} is no note: a note's name ends in {guard.NOTE_SUFFIX}.")
            if writing and self.in_exec(parts):
                raise ReadOnly(f"{path!r} lies in the read-only vault; write the note outside it.")
            closed = set() if EXEC in scopes and not writing else self._identities(root, [self.exec_parts])
            folder = self._descend(stack, root, parts[:-1], closed, make_folders)
            yield Place(folder, parts[-1], "/".join(parts))

    def check_folder(self, parts: tuple[str, ...]) -> None:
        """Raise NotFound when there is no folder at ``parts``, which resolve() gave; Refused for a private one."""
        with ExitStack() as stack:
            root = stack.enter_context(self.open_root())
            self._descend(stack, root, parts, set(), False)

    def _descend(
        self, stack: ExitStack, root: int, parts: tuple[str, ...], closed: set[Identity], make_folders: bool
    ) -> int:
        """Open folder after folder below ``root``; none may be private or ``closed``, by whatever name it goes."""
        refused = self._identities(root, PRIVATE) | closed
        folder = root
        for name in parts:
            if make_folders:
                stack.enter_context(_made_folder(folder, name))
            folder = _open(name, FOLDER, folder)
            stack.callback(os.close, folder)
            if _identity(os.fstat(folder)) in refused:
                raise Refused("This folder is not open to clients; name another note.")
        return folder

    def _identities(self, root: int, trees: Iterable[tuple[str, ...]]) -> set[Identity]:
        found = set()
        for tree in trees:
            try:
                found.add(_identity(os.stat("/".join(tree), dir_fd=root)))
            except OSError:
                continue  # Not there: nothing to protect.
        return found

    def walk(self) -> Iterator[Found]:
        """Yield every note, without following symlinks: what one leads to is met under its own name, or not ours.

        Raises VaultGone when the vault vanishes on the way, so that what was not met is not taken for deleted.
        """
        with self.open_root() as root:
            private = self._identities(root, PRIVATE)
            yield from self._walk(root, (), private)
        with self.open_root():
            pass

    def _walk(self, folder: int, parts: tuple[str, ...], private: set[Identity]) -> Iterator[Found]:
        prefix, in_exec = "".join(f"{part}/" for part in parts), self.in_exec(parts)
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if not guard.is_name(name) or not guard.fits(prefix + name) or guard.is_private((name,)):
                    continue
                try:
                    if entry.is_dir(follow_symlinks=False):
                        yield from self._walk_into(folder, (*parts, name), private)
                    elif guard.is_note(name) and entry.is_file(follow_symlinks=False):
                        yield _found(prefix + name, in_exec, entry.stat(follow_symlinks=False))
                except OSError as error:
                    if error.errno not in PASSING:
                        raise _gone(error) from error

    def _walk_into(self, parent: int, here: tuple[str, ...], private: set[Identity]) -> Iterator[Found]:
        if guard.is_private(here):
            return
        folder = os.open(here[-1], FOLDER, dir_fd=parent)
        try:
            if _identity(os.fstat(folder)) not in private:
                yield from self._walk(folder, here, private)
        finally:
            os.close(folder)


def _found(path: str, in_exec: bool, status: os.stat_result) -> Found:
    signature = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
    return Found(path, in_exec, status.st_size, status.st_mtime, signature)


def read_bytes(place: Place) -> tuple[bytes, os.stat_result]:
    """Return the bytes of the note at ``place`` and its status.

    Raises NotFound, BadPath when something else goes by that name, TooLarge above MAX_NOTE_BYTES, VaultGone.
    """
    file = _open(place.name, NOTE, place.folder)
    with os.fdopen(file, "rb") as stream:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise BadPath(f"{place.path!r} is no note but a folder or a device.")
        try:
            data = stream.read(MAX_NOTE_BYTES + 1)
        except OSError as error:
            raise _gone(error) from error
    if len(data) > MAX_NOTE_BYTES:
        raise TooLarge(f"{place.path!r} has {status.st_size} bytes; notes up to {MAX_NOTE_BYTES} bytes are read.")
    return data, status


def _open(name: str, flags: int, folder: int) -> int:
    try:
        return os.open(name, flags, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE):
            raise NotFound("There is no such note; list or search the vault for its path.") from error
        if error.errno in (errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENXIO):
            raise Refused("This note cannot be opened; name another one.") from error
        raise _gone(error) from error


@contextmanager
def _made_folder(parent: int, name: str) -> Iterator[None]:
    """Make a folder where there is none; it is removed again when what it was made for fails."""
    made = _make_folder(parent, name)
    try:
        yield
    except BaseException:
        if made:
            # Unless somebody else put something into it.
            with suppress(OSError):
                os.rmdir(name, dir_fd=parent)
        raise


def _make_folder(parent: int, name: str) -> bool:
    """Make a folder that belongs to whom its parent belongs: the container's root is nobody on the NAS."""
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise NotStored(f"The folder {name!r} was not made: {error.strerror}.") from error
    owner = os.fstat(parent)
    if os.geteuid() == 0:
        os.chown(name, owner.st_uid, owner.st_gid, dir_fd=parent, follow_symlinks=False)
    return True


def _identity(status: os.stat_result) -> Identity:
    return status.st_dev, status.st_ino


def _gone(error: OSError | None) -> VaultGone:
    reason = f" ({error.strerror})" if error else ""
    return VaultGone(f"The vault is not there{reason}; mount it on the NAS, then try again.")
