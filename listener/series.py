"""Open series: the directories an image goes to, and the state of each series while associations file into it.

A series is *open* from the first image of an association until the association ends: its directory then holds
receiving.series, and series.info once nobody has it open any more. Workers know of each other by a lock file per
series in the spool, locked shared (flock) by each worker that has the series open: who gets it exclusively is the
last. Locks go with their process, so a killed worker's series are found and closed by any other.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from listener import naming
from listener.directories import descended, make_child, open_root, reopen_root
from listener.naming import Place, SideFile
from listener.spool import FILE_MODE, Spool, exists

if TYPE_CHECKING:
    from listener.elements import Elements

_LOG = logging.getLogger("listener.series")
LOCK_PREFIX = ".series-"
_MAX_LOCK_TEXT = 8192
_DIRECTORIES = 3


class Archive:
    """The data and log directories of one service, and the spool that serves them."""

    def __init__(self, data_dir: str, log_dir: str, spool: Spool, *, is_durable: bool) -> None:
        self.data_dir = data_dir.rstrip("/") or "/"
        self.is_durable = is_durable
        self.spool = spool
        self.data_fd = open_root(data_dir)
        try:
            self._maps = Spool(log_dir)
        except OSError:
            os.close(self.data_fd)
            raise
        self.log_fd = self._maps.fd

    def close(self) -> None:
        os.close(self.data_fd)
        self._maps.close()

    @property
    def spools(self) -> tuple[Spool, Spool]:
        """Where leftovers may be."""
        return self.spool, self._maps

    def location(self, *names: str) -> str:
        return "/".join((self.data_dir.rstrip("/"), *names))

    def make_series(self, place: Place, elements: Elements) -> int:
        """Make what a series needs on disk; returns its directory's descriptor. Raises: OSError."""
        try:
            return self._make_series(place, elements)
        except FileNotFoundError:
            # Somebody removes directories while we make them, or has removed the data directory itself.
            self._restore_roots()
            return self._make_series(place, elements)

    def _make_series(self, place: Place, elements: Elements) -> int:
        patient_at = self.location(place.patient_dir)
        study_at = self.location(place.patient_dir, place.study_dir)
        series_at = self.location(place.patient_dir, place.study_dir, place.series_dir)
        opened: list[int] = []
        try:
            for name in (place.patient_dir, place.study_dir, place.series_dir):
                parent = opened[-1] if opened else self.data_fd
                opened.append(make_child(parent, name, is_durable=self.is_durable))
            patient_fd, study_fd, series_fd = opened
            self._write_once(patient_fd, naming.patient_info(elements, patient_at))
            self._write_once(study_fd, naming.study_info(elements, study_at))
            self._mark_receiving(series_fd, naming.series_info(elements, series_at))
            self._write_map("patient_map", naming.map_file(elements.patient_id, patient_at))
            self._write_map("study_map", naming.map_file(elements.study_uid, study_at))
            self._write_map("series_map", naming.map_file(elements.series_uid, series_at))
            return opened.pop()
        finally:
            for fd in opened:
                os.close(fd)

    def _restore_roots(self) -> None:
        if not os.fstat(self.data_fd).st_nlink:
            reopen_root(self.data_fd, self.data_dir)
        self.spool.restore()
        self._maps.restore()

    def mark_received(self, names: Sequence[str]) -> None:
        """receiving.series becomes series.info, unless somebody has removed it or its directory. Raises: OSError."""
        try:
            with descended(self.data_fd, names) as series_fd:
                os.rename(naming.RECEIVING, naming.SERIES_INFO, src_dir_fd=series_fd, dst_dir_fd=series_fd)
                if self.is_durable:
                    os.fsync(series_fd)
        except (FileNotFoundError, NotADirectoryError):
            return

    def _mark_receiving(self, series_fd: int, info: SideFile) -> None:
        try:
            os.rename(naming.SERIES_INFO, naming.RECEIVING, src_dir_fd=series_fd, dst_dir_fd=series_fd)
        except FileNotFoundError:
            self._write_once(series_fd, info)

    def _write_once(self, directory_fd: int, info: SideFile) -> None:
        if not exists(directory_fd, info.name):
            self.spool.write_text(directory_fd, info.name, info.text, is_durable=self.is_durable, replace=False)

    def _write_map(self, directory: str, entry: SideFile) -> None:
        """Map files are replaced as a whole, and only when they say something else."""
        fd = make_child(self.log_fd, directory, is_durable=self.is_durable)
        try:
            if _read_text(fd, entry.name) != entry.text:
                self._maps.write_text(fd, entry.name, entry.text, is_durable=self.is_durable, replace=True)
        finally:
            os.close(fd)


class OpenSeries:
    """A series that this worker has open; `directory_fd` is where its images go."""

    def __init__(self, archive: Archive, place: Place) -> None:
        self._archive = archive
        self._place = place
        self._lock_name = _lock_name(archive.data_dir, place.series_path)
        self._lock_fd = -1
        self._mutex = threading.Lock()
        self.directory_fd = -1
        self.holders = 0

    def open(self, elements: Elements) -> None:
        """Make sure that it is open; the first caller does it, others wait for that. Raises: OSError."""
        with self._mutex:
            if self.directory_fd < 0:
                self._lock_fd = _lock_shared(self._archive.spool, self._lock_name, self._lock_text())
                self.directory_fd = self._archive.make_series(self._place, elements)

    def restore(self, elements: Elements) -> None:
        """Somebody has removed its directory: make it again. Raises: OSError."""
        with self._mutex:
            fd = self._archive.make_series(self._place, elements)
            # Others may be about to use the old number: it keeps its meaning, a directory of this series.
            os.dup2(fd, self.directory_fd, inheritable=False)
            os.close(fd)

    def close(self) -> None:
        """Let go of it; when nobody else has it open, it is received.

        Never raises: what cannot be done now stays marked by the lock file, for the next cleaning.
        """
        with self._mutex:
            if self._lock_fd >= 0:
                try:
                    if _is_last(self._lock_fd):
                        self._archive.mark_received(self._place.series_path.split("/"))
                        _remove_lock(self._archive.spool, self._lock_name)
                except OSError as error:
                    _LOG.error("a series could not be closed, and will be later: %s", error.strerror)
                finally:
                    os.close(self._lock_fd)
                    self._lock_fd = -1
            if self.directory_fd >= 0:
                os.close(self.directory_fd)
                self.directory_fd = -1

    def _lock_text(self) -> bytes:
        return f"{self._archive.data_dir}\n{self._place.series_path}\n".encode("utf-8", "surrogateescape")


class SeriesRegistry:
    """The series that this worker has open, each counted by the associations that have it open."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._mutex = threading.Lock()
        self._open: dict[str, OpenSeries] = {}

    def acquire(self, place: Place, elements: Elements) -> OpenSeries:
        """Raises: OSError: its directories or files cannot be made; it is not open then."""
        with self._mutex:
            series = self._open.get(place.series_path)
            if series is None:
                series = self._open[place.series_path] = OpenSeries(self._archive, place)
            series.holders += 1
        try:
            series.open(elements)
        except OSError:
            self.release(place.series_path, series)
            raise
        return series

    def release(self, path: str, series: OpenSeries) -> None:
        with self._mutex:
            series.holders -= 1
            if series.holders:
                return
            del self._open[path]
        series.close()


class SeriesOfAssociation:
    """The series that one association has open, at most `limit`: beyond, the one not used for longest is let go."""

    def __init__(self, registry: SeriesRegistry, limit: int) -> None:
        self._registry = registry
        self._limit = limit
        self._held: OrderedDict[str, OpenSeries] = OrderedDict()

    def get(self, place: Place, elements: Elements) -> OpenSeries:
        """Raises: OSError."""
        path = place.series_path
        series = self._held.get(path)
        if series is None:
            series = self._held[path] = self._registry.acquire(place, elements)
            if len(self._held) > self._limit:
                self._registry.release(*self._held.popitem(last=False))
        else:
            self._held.move_to_end(path)
        return series

    def release_all(self) -> None:
        while self._held:
            self._registry.release(*self._held.popitem())


def close_abandoned(archive: Archive, report: Callable[[str], None]) -> None:
    """Close the series whose workers were killed. Only this service's: another's lock files are left alone."""
    for name in archive.spool.names(LOCK_PREFIX):
        try:
            fd = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=archive.spool.fd)
        except OSError:
            continue
        try:
            if not _is_last(fd) or not os.fstat(fd).st_nlink:
                continue
            data_dir, _, rest = os.pread(fd, _MAX_LOCK_TEXT, 0).decode("utf-8", "surrogateescape").partition("\n")
            names = rest.rstrip("\n").split("/")
            is_ours = data_dir == archive.data_dir and len(names) == _DIRECTORIES and not {"", ".", ".."} & {*names}
            if is_ours:
                archive.mark_received(names)
                report(name)
            if is_ours or not data_dir:
                _remove_lock(archive.spool, name)
        finally:
            os.close(fd)


def _lock_name(data_dir: str, series_path: str) -> str:
    text = f"{data_dir}\0{series_path}".encode("utf-8", "surrogateescape")
    return LOCK_PREFIX + hashlib.sha256(text).hexdigest()[:32]


def _lock_shared(spool: Spool, name: str, text: bytes) -> int:
    """Take a share of the lock file, making it when missing; it says whose it is before anything else happens."""
    while True:
        fd = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, FILE_MODE, dir_fd=spool.fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_SH)
            # The last holder may have removed it between our opening and our locking.
            if os.fstat(fd).st_nlink:
                os.pwrite(fd, text, 0)
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _is_last(lock_fd: int) -> bool:
    """Whether the share could be made exclusive. When it could not the share is lost too: somebody else is last."""
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_lock(spool: Spool, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=spool.fd)


def _read_text(directory_fd: int, name: str) -> str | None:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory_fd)
    except OSError:
        return None
    try:
        return os.pread(fd, _MAX_LOCK_TEXT, 0).decode("utf-8", "replace")
    finally:
        os.close(fd)
