"""The spool: a directory of files on their way to their final names.

A file is made here without a name (open(2), O_TMPFILE) and gets its final one when it is whole, by a hard link, which
never overwrites. Without a name it vanishes with its process, and costs two changes of a directory less.

Where the file system has no such files it is made under a name of its own, locked (flock) for as long as its maker
lives: what a killed process left is known by nobody holding its lock. Where it has no hard links either, the final
name is given by a rename under a lock.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from listener.directories import is_elsewhere, open_root, reopen_root

PREFIX = ".incoming-"
_PROBE_SUFFIX = "-link"
_NAMING_LOCK = ".naming.lock"
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES})
# A directory that is not fit for a spool, and will not be.
_UNFIT = frozenset(
    {errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT, errno.ELOOP}
)
# Of one writev call, Linux and POSIX alike (IOV_MAX).
MAX_VECTORS = 1024
FILE_MODE = 0o666


@dataclass(frozen=True)
class TempFile:
    """A file in the spool, open for reading and writing; one with a name is locked."""

    name: str | None
    fd: int

    @property
    def is_lost(self) -> bool:
        """Whether somebody has removed the name that it had in the spool."""
        return self.name is not None and not os.fstat(self.fd).st_nlink


@dataclass(frozen=True)
class NamedTempFile(TempFile):
    """One with a name, which can replace another."""

    name: str


@dataclass(frozen=True)
class Leftover:
    """A file that a killed process left behind, removed."""

    name: str
    size_bytes: int
    was_filed: bool


class Spool:
    """One spool directory. Any number of threads and processes may use it."""

    def __init__(self, directory: str) -> None:
        """Raises: OSError: it cannot be made or used."""
        self.directory = directory
        self.fd = open_root(directory)
        self._token = secrets.token_hex(6)
        self._numbers = itertools.count(1)
        try:
            self._probe()
        except OSError:
            os.close(self.fd)
            raise

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self.fd)

    def open_temp(self) -> TempFile:
        """A new, empty file. Raises: OSError: no space, no descriptors, ..."""
        return TempFile(None, self._create_unnamed()) if self._can_do_without_names else self._open_named()

    def place(self, temp: TempFile, directory_fd: int, name: str) -> None:
        """Give the file its final name; its name in the spool is gone after that.

        Raises: FileExistsError: there is one of that name. FileNotFoundError: the directory has been removed.
        """
        if temp.name is None:
            # The link that the kernel shows for a descriptor is followed to the file itself: open(2), O_TMPFILE.
            os.link(f"/proc/self/fd/{temp.fd}", name, dst_dir_fd=directory_fd, follow_symlinks=True)
            return
        if self._can_link:
            os.link(temp.name, name, src_dir_fd=self.fd, dst_dir_fd=directory_fd, follow_symlinks=False)
            os.unlink(temp.name, dir_fd=self.fd)
            return
        with self._naming_lock():
            if exists(directory_fd, name):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            os.rename(temp.name, name, src_dir_fd=self.fd, dst_dir_fd=directory_fd)

    def discard(self, temp: TempFile) -> None:
        """Remove the file if it still has its name here, and close it."""
        try:
            if temp.name is not None:
                os.unlink(temp.name, dir_fd=self.fd)
        except FileNotFoundError:
            pass
        finally:
            os.close(temp.fd)

    def write_text(self, directory_fd: int, name: str, text: str, *, is_durable: bool, replace: bool) -> None:
        """Write a whole small file under its name at once; with `replace` False one that is there stays.

        Raises: OSError.
        """
        temp = self._open_named()
        try:
            write_all(temp.fd, [memoryview(text.encode("utf-8", "replace"))])
            if is_durable:
                os.fdatasync(temp.fd)
            if replace:
                os.rename(temp.name, name, src_dir_fd=self.fd, dst_dir_fd=directory_fd)
            else:
                try:
                    self.place(temp, directory_fd, name)
                except FileExistsError:
                    return
        finally:
            self.discard(temp)
        if is_durable:
            os.fsync(directory_fd)

    def remove_leftovers(self) -> Iterator[Leftover]:
        """Remove what nobody holds any more, one file at a time."""
        for name in self.names(PREFIX):
            leftover = self._remove_if_left(name)
            if leftover is not None:
                yield leftover

    def names(self, prefix: str) -> list[str]:
        """The names in the directory that begin so."""
        return [name for name in os.listdir(self.fd) if name.startswith(prefix)]  # noqa: PTH208 - by descriptor

    def _remove_if_left(self, name: str) -> Leftover | None:
        try:
            fd = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.fd)
        except OSError:
            return None
        try:
            if not _try_lock(fd):
                return None
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or not status.st_nlink:
                return None
            os.unlink(name, dir_fd=self.fd)
            return Leftover(name, status.st_size, status.st_nlink > 1)
        except FileNotFoundError:
            return None
        finally:
            os.close(fd)

    def _open_named(self) -> NamedTempFile:
        while True:
            name = f"{PREFIX}{os.getpid()}-{self._token}-{next(self._numbers)}"
            fd = self._create(name, os.O_CREAT | os.O_EXCL)
            # Between making and locking, another process may have taken it for a leftover.
            if _try_lock(fd) and os.fstat(fd).st_nlink:
                return NamedTempFile(name, fd)
            os.close(fd)

    def _create_unnamed(self) -> int:
        return self._create(".", os.O_TMPFILE)

    def _create(self, name: str, flags: int) -> int:
        flags |= os.O_RDWR | os.O_CLOEXEC
        try:
            return os.open(name, flags, FILE_MODE, dir_fd=self.fd)
        except OSError:
            # In a removed directory ENOENT, for a file without a name EPERM.
            if not self.restore():
                raise
            return os.open(name, flags, FILE_MODE, dir_fd=self.fd)

    def restore(self) -> bool:
        """Open the directory again when its path means another one now; whether that was so. Raises: OSError."""
        is_other = is_elsewhere(self.fd, self.directory)
        if is_other:
            self.move(self.directory)
        return is_other

    def move(self, directory: str) -> None:
        """Use this directory from now on; what is on its way in the former one is still placed if it can be."""
        self.directory = directory
        reopen_root(self.fd, directory)
        self._probe()

    def _probe(self) -> None:
        self._can_link = self._probe_links()
        self._can_do_without_names = self._can_link and self._probe_unnamed()

    def _probe_links(self) -> bool:
        temp = self._open_named()
        probe = temp.name + _PROBE_SUFFIX
        try:
            os.link(temp.name, probe, src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            return False
        else:
            os.unlink(probe, dir_fd=self.fd)
            return True
        finally:
            self.discard(temp)

    def _probe_unnamed(self) -> bool:
        """Whether files without a name can be made and named: not on every file system, and not without /proc."""
        probe = f"{PREFIX}{os.getpid()}-{self._token}{_PROBE_SUFFIX}"
        try:
            fd = self._create_unnamed()
        except OSError:
            return False
        try:
            self.place(TempFile(None, fd), self.fd, probe)
            os.unlink(probe, dir_fd=self.fd)
        except OSError:
            return False
        else:
            return True
        finally:
            os.close(fd)

    @contextmanager
    def _naming_lock(self) -> Iterator[None]:
        fd = os.open(_NAMING_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE, dir_fd=self.fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def spool_directory(tmp_dir: str, data_dir: str) -> str:
    """tmp_dir when a file can be linked or renamed from it into data_dir, else a hidden directory in data_dir.

    All workers of a service must come to the same answer, or they would not see each other's locks: an error that may
    pass (a disk that is full or away for a moment) is no answer.

    Raises: OSError: neither can be used, or it cannot be known now.
    """
    data_fd = open_root(data_dir)
    try:
        tmp_fd = open_root(tmp_dir)
    except OSError as error:
        os.close(data_fd)
        if error.errno not in _UNFIT:
            raise
        return str(Path(data_dir) / ".spool")
    probe = f"{PREFIX}{os.getpid()}-{secrets.token_hex(6)}-probe"
    try:
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE, dir_fd=tmp_fd))
        os.rename(probe, probe, src_dir_fd=tmp_fd, dst_dir_fd=data_fd)
    except OSError as error:
        if error.errno not in _UNFIT:
            raise
        return str(Path(data_dir) / ".spool")
    else:
        return tmp_dir
    finally:
        for fd in (tmp_fd, data_fd):
            with suppress(OSError):
                os.unlink(probe, dir_fd=fd)
            os.close(fd)


def write_all(fd: int, views: Sequence[memoryview | bytes]) -> None:
    """Write every byte, whatever the number of calls it takes. Raises: OSError."""
    pending = [view for view in views if len(view)]
    while pending:
        written = os.writev(fd, pending[:MAX_VECTORS])
        while pending and written >= len(pending[0]):
            written -= len(pending.pop(0))
        if written:
            pending[0] = memoryview(pending[0])[written:]


def exists(directory_fd: int, name: str) -> bool:
    """Whether the directory has an entry of that name; a link is not followed."""
    try:
        os.stat(name, dir_fd=directory_fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
