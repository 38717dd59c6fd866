"""Lock files of series: how workers know which of them is the last to have a series open.

There is one lock file in the spool for each SeriesInstanceUID of a data directory. It lists the directories that
images of the series go to, one JSON text [data directory, series path] a line. Each worker that has the series open
holds it locked shared (flock); who gets it exclusively is the last, marks all these directories received, and removes
the file. Locks go with their process, so a killed worker's series are found and closed by any other.

No series is receiving without a lock file that says so, not even after a power cut: the file gets its name only when
it is whole, so that it is never empty; where filing is durable its lines and its name are on disk before
receiving.series is made; and it is removed only after the renaming to series.info is on disk. So cleaning needs to
look at lock files alone, however many series the archive holds.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator

from listener.archive import Archive

_LOG = logging.getLogger("listener.series")
LOCK_PREFIX = ".series-"
# Over a thousand directories of one SeriesInstanceUID; with more, each further one has a lock file of its own.
_MAX_LOCK_BYTES = 1_048_576
_DIRECTORIES = 3
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


def lock_name(data_dir: str, key: str) -> str:
    """The lock file's name; key: the SeriesInstanceUID, or what stands for it."""
    text = f"{data_dir}\0{key}".encode("utf-8", "surrogateescape")
    return LOCK_PREFIX + hashlib.sha256(text).hexdigest()[:32]


class SeriesLock:
    """A worker's share of one lock file; `holders` is the registry's to count."""

    def __init__(self, archive: Archive, name: str) -> None:
        self._archive = archive
        self.name = name
        self._fd = -1
        self._paths: set[str] = set()
        self._mutex = threading.Lock()
        self.holders = 0

    @property
    def is_lost(self) -> bool:
        """Whether somebody has removed the file. One call to the system: it is asked for each image."""
        with self._mutex:
            return self._fd >= 0 and not os.fstat(self._fd).st_nlink

    def add(self, path: str) -> bool:
        """Have a share, with the series directory in the list; False when the list is full. Raises: OSError."""
        with self._mutex:
            if path in self._paths and self._is_current():
                return True
            if not self._attach({path}):
                return False
            self._paths.add(path)
            return True

    def release(self) -> None:
        """Let go of it; the last of all workers marks the directories received.

        Never raises: what cannot be done now stays listed in the file, for the next cleaning.
        """
        with self._mutex:
            try:
                if self._paths and not self._is_current():
                    self._attach(set())
                if self._fd >= 0 and _is_last(self._fd):
                    _settle(self._archive, self.name, self._fd)
            except OSError as error:
                _LOG.error("a series could not be closed, and will be later: %s", error.strerror)
            finally:
                self._close()
                self._paths.clear()

    def _attach(self, added: set[str]) -> bool:
        """List these too; in a file that is new to us, also all that we listed before."""
        if not self._is_current():
            # Others may have another file of that name: with them we share, not with the removed one.
            self._close()
        if self._fd < 0:
            added = added | self._paths
            self._fd = _share(self._archive, self.name, self._line(min(added)))
        has_room = True
        for path in sorted(added):
            has_room &= _note(self._archive, self._fd, self._line(path))
        return has_room

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _is_current(self) -> bool:
        return self._fd >= 0 and _is_named(self._archive, self.name, self._fd)

    def _line(self, path: str) -> str:
        return json.dumps([self._archive.data_dir, path])


def close_abandoned(archive: Archive, report: Callable[[str], None]) -> None:
    """Close the series whose workers were killed. Another service's lock files are left alone, not even locked."""
    for name in archive.spool.names(LOCK_PREFIX):
        try:
            fd = os.open(name, _FLAGS, dir_fd=archive.spool.fd)
        except OSError:
            continue
        try:
            # An empty one was never in use: a power cut took what it would have said, with durability off.
            if os.fstat(fd).st_size and not any(_paths_of(archive, fd)):
                continue
            if not _is_last(fd) or not _is_named(archive, name, fd):
                continue
            is_in_use = os.fstat(fd).st_size > 0
            _settle(archive, name, fd)
            if is_in_use:
                report(name)
        except OSError as error:
            _LOG.error("an abandoned series could not be closed, and will be later: %s", error.strerror)
        finally:
            os.close(fd)


def _share(archive: Archive, name: str, line: str) -> int:
    """Take a share of the lock file, making it when missing. Raises: OSError."""
    spool = archive.spool
    while True:
        try:
            fd = os.open(name, _FLAGS, dir_fd=spool.fd)
        except FileNotFoundError:
            spool.write_text(spool.fd, name, f"{line}\n", is_durable=archive.is_durable, replace=False)
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_SH)
            # The last holder may have removed it between our opening and our locking.
            if _is_named(archive, name, fd):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _note(archive: Archive, fd: int, line: str) -> bool:
    """Have the line in the file, and on disk where that is wanted; False when there is no room for it."""
    text = _read(fd)
    if line.encode() not in text.split(b"\n"):
        # What a worker that was killed while it wrote left of a line is closed by the first newline.
        addition = f"\n{line}\n".encode()
        if len(text) + len(addition) > _MAX_LOCK_BYTES:
            return False
        if os.write(fd, addition) < len(addition):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if archive.is_durable:
        # Also when another worker wrote it: that one may not be done yet.
        os.fdatasync(fd)
        os.fsync(archive.spool.fd)
    return True


def _settle(archive: Archive, name: str, fd: int) -> None:
    """With the lock held exclusively: mark what it lists received, and remove it. Raises: OSError: not all could be."""
    failure: OSError | None = None
    for path in _paths_of(archive, fd):
        try:
            archive.mark_received(path.split("/"))
        except OSError as error:
            failure = error
    if failure is not None:
        raise failure
    if _is_named(archive, name, fd):
        os.unlink(name, dir_fd=archive.spool.fd)


def _paths_of(archive: Archive, fd: int) -> Iterator[str]:
    """The series paths of this data directory that the file lists; a line that is not whole is none."""
    for line in _read(fd).split(b"\n"):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(entry, list) or len(entry) != 2 or entry[0] != archive.data_dir:
            continue
        names = entry[1].split("/") if isinstance(entry[1], str) else []
        if len(names) == _DIRECTORIES and not {"", ".", ".."} & {*names} and "\0" not in entry[1]:
            yield entry[1]


def _read(fd: int) -> bytes:
    return os.pread(fd, 2 * _MAX_LOCK_BYTES, 0)


def _is_last(lock_fd: int) -> bool:
    """Whether the share could be made exclusive. When it could not the share is lost too: somebody else is last."""
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_named(archive: Archive, name: str, fd: int) -> bool:
    """Whether the file of that name in the spool is the one that is open."""
    try:
        there = os.stat(name, dir_fd=archive.spool.fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(fd))
