"""Open series: the directories an image goes to, and the state of each series while associations file into it.

A series is *open* from the first image of an association until the association ends: its directory then holds
receiving.series, and series.info once nobody has any directory of its SeriesInstanceUID open any more (serieslock).

What is open costs descriptors: a lock's for each series of a worker, a directory's for each that is in use. Both are
bounded, see SeriesOfAssociation.
"""

from __future__ import annotations

import errno
import os
import resource
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from listener.archive import Archive
from listener.naming import Place
from listener.serieslock import SeriesLock, lock_name

if TYPE_CHECKING:
    from listener.elements import Elements

# Of one association. Of 384 associations they are 6,144, beside at most 4,096 locks and some files of each connection:
# within the 16,384 that a worker may have open.
MAX_DIRECTORIES = 16
_LOCKS_SHARE = 4
_MOST_FILES = 1_048_576


class OpenSeries:
    """A directory of a series that this worker has open; `directory_fd` is valid while somebody uses it."""

    def __init__(self, archive: Archive, place: Place) -> None:
        self._archive = archive
        self._place = place
        self._mutex = threading.Lock()
        self._version = -1
        self._users = 0
        self.lock: SeriesLock | None = None
        self.directory_fd = -1
        self.holders = 0

    @property
    def mutex(self) -> threading.Lock:
        """Held by who takes the lock for it."""
        return self._mutex

    def use(self, elements: Elements) -> None:
        """Have its directory open. Raises: OSError; it is not in use then."""
        with self._mutex:
            if self.directory_fd < 0:
                self.directory_fd = self._open_directory(elements)
            self._users += 1

    def leave(self) -> None:
        """The counterpart of `use`."""
        with self._mutex:
            self._users -= 1
            if not self._users:
                os.close(self.directory_fd)
                self.directory_fd = -1

    def refresh(self, elements: Elements) -> None:
        """Notice, cheaply, that its lock was removed or that its root was exchanged, and mend that. Raises: OSError."""
        if self.lock is not None and (self.lock.is_lost or self._version != self._archive.version):
            self.restore(elements)

    def restore(self, elements: Elements) -> None:
        """Somebody has removed its directory, or its lock: make them again. Raises: OSError."""
        with self._mutex:
            if self.lock is not None:
                self.lock.add(self._place.series_path)
            fd = self._make_directory(elements)
            # Others may be about to use the old number: it keeps its meaning, a directory of this series.
            os.dup2(fd, self.directory_fd, inheritable=False)
            os.close(fd)

    def _open_directory(self, elements: Elements) -> int:
        """Made and written to disk once; then, given up for another's sake, just opened."""
        if self._version == self._archive.version:
            try:
                return self._archive.open_series(self._place)
            except FileNotFoundError:
                pass
        return self._make_directory(elements)

    def _make_directory(self, elements: Elements) -> int:
        # Taken before: an exchange that is noticed meanwhile is then mended once too often rather than never.
        version = self._archive.version
        fd = self._archive.make_series(self._place, elements)
        self._version = version
        return fd


class SeriesRegistry:
    """The series that this worker has open, each counted by the associations that have it open."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._mutex = threading.Lock()
        self._open: dict[str, OpenSeries] = {}
        self._locks: dict[str, SeriesLock] = {}
        self._max_locks = _max_locks()

    @property
    def is_full(self) -> bool:
        """Whether locks take more than their share of the descriptors that this process may have."""
        return len(self._locks) > self._max_locks

    def acquire(self, place: Place, elements: Elements) -> OpenSeries:
        """Open: from now on it is received only after `release`. Raises: OSError: it is not open."""
        path = place.series_path
        with self._mutex:
            series = self._open.get(path)
            if series is None:
                series = self._open[path] = OpenSeries(self._archive, place)
            series.holders += 1
        try:
            # The first does it, others wait for that.
            with series.mutex:
                if series.lock is None:
                    series.lock = self._lock(path, elements.series_uid or path)
        except OSError:
            self.release(path, series)
            raise
        return series

    def release(self, path: str, series: OpenSeries) -> None:
        """One association fewer has it open; the last one of this worker lets go of its lock."""
        with self._mutex:
            series.holders -= 1
            if series.holders:
                return
            del self._open[path]
        if series.lock is not None:
            self._let_go(series.lock)

    def _lock(self, path: str, uid: str) -> SeriesLock:
        for key in (uid, f"{uid}\0{path}"):
            lock = self._hold(lock_name(self._archive.data_dir, key))
            try:
                if lock.add(path):
                    return lock
            except OSError:
                self._let_go(lock)
                raise
            self._let_go(lock)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _hold(self, name: str) -> SeriesLock:
        with self._mutex:
            lock = self._locks.get(name)
            if lock is None:
                lock = self._locks[name] = SeriesLock(self._archive, name)
            lock.holders += 1
            return lock

    def _let_go(self, lock: SeriesLock) -> None:
        with self._mutex:
            lock.holders -= 1
            if lock.holders:
                return
            del self._locks[lock.name]
        lock.release()


class SeriesOfAssociation:
    """The series that one association has open; until it ends, none of them is received.

    The directories of those used last stay open, at most MAX_DIRECTORIES. Two bounds are there for peers that would
    send images of ever other series: `limit`, and the descriptors that all locks of the worker may take. Beyond either,
    the one not used for longest is let go, and may be marked received although the association is still open.
    """

    def __init__(self, registry: SeriesRegistry, limit: int) -> None:
        self._registry = registry
        self._limit = limit
        self._held: OrderedDict[str, OpenSeries] = OrderedDict()
        self._used: OrderedDict[str, OpenSeries] = OrderedDict()

    def get(self, place: Place, elements: Elements) -> OpenSeries:
        """The series, its directory open until the next call. Raises: OSError."""
        path = place.series_path
        series = self._held.get(path)
        if series is None:
            series = self._held[path] = self._registry.acquire(place, elements)
        self._held.move_to_end(path)
        if len(self._held) > 1 and (len(self._held) > self._limit or self._registry.is_full):
            self._release_oldest()
        if path not in self._used:
            series.use(elements)
            self._used[path] = series
        self._used.move_to_end(path)
        if len(self._used) > MAX_DIRECTORIES:
            self._used.popitem(last=False)[1].leave()
        series.refresh(elements)
        return series

    def release_all(self) -> None:
        """The association is over: let go of all, the oldest first."""
        while self._held:
            self._release_oldest()

    def _release_oldest(self) -> None:
        path, series = self._held.popitem(last=False)
        if self._used.pop(path, None) is not None:
            series.leave()
        self._registry.release(path, series)


def _max_locks() -> int:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return (_MOST_FILES if files == resource.RLIM_INFINITY else min(files, _MOST_FILES)) // _LOCKS_SHARE
