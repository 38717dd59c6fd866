"""The archive: the data and log directories of one service, and what a series needs in them."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from listener import naming
from listener.directories import descended, is_elsewhere, make_child, open_root, reopen_root
from listener.naming import Place, SideFile
from listener.spool import Spool, exists, spool_directory

if TYPE_CHECKING:
    from listener.elements import Elements

_MAX_MAP_BYTES = 8192


class Archive:
    """The directories of one service, open. `version` grows when one of them turns out to be another than before."""

    def __init__(self, data_dir: str, log_dir: str, tmp_dir: str, *, is_durable: bool) -> None:
        """Make and open them. Raises: OSError: one cannot be made or used; nothing is left open then."""
        self.data_dir = data_dir.rstrip("/") or "/"
        self.is_durable = is_durable
        self.version = 0
        self._tmp_dir = tmp_dir
        self._mutex = threading.Lock()
        self.spool = Spool(spool_directory(tmp_dir, data_dir))
        try:
            self._maps = Spool(log_dir)
        except OSError:
            self.spool.close()
            raise
        try:
            self.data_fd = open_root(data_dir)
        except OSError:
            self.spool.close()
            self._maps.close()
            raise

    def close(self) -> None:
        """Let go of the directories."""
        os.close(self.data_fd)
        self._maps.close()
        self.spool.close()

    @property
    def log_fd(self) -> int:
        """The descriptor of the directory of map files and listen.run.log."""
        return self._maps.fd

    @property
    def spools(self) -> tuple[Spool, Spool]:
        """Where leftovers may be."""
        return self.spool, self._maps

    def location(self, *names: str) -> str:
        """The path, as text, of what has these names below the data directory."""
        return "/".join((self.data_dir.rstrip("/"), *names))

    def follow_paths(self) -> None:
        """Open again what was renamed, removed or mounted over, so that each configured path means what it says.

        Raises: OSError.
        """
        with self._mutex:
            is_changed = False
            if is_elsewhere(self.data_fd, self.data_dir):
                reopen_root(self.data_fd, self.data_dir)
                # The former spool may be on another file system than the data directory now.
                self.spool.move(spool_directory(self._tmp_dir, self.data_dir))
                is_changed = True
            for spool in self.spools:
                is_changed |= spool.restore()
            self.version += is_changed

    def open_series(self, place: Place) -> int:
        """The directory of a series that is receiving. Raises: FileNotFoundError: it is not. OSError."""
        names = (place.patient_dir, place.study_dir, place.series_dir)
        with descended(self.data_fd, names) as series_fd:
            os.stat(naming.RECEIVING, dir_fd=series_fd, follow_symlinks=False)
            return os.dup(series_fd)

    def make_series(self, place: Place, elements: Elements) -> int:
        """Make what a series needs on disk; returns its directory's descriptor.

        Durable: all of it is on disk on return, also what another worker has made a moment ago. Raises: OSError.
        """
        self.follow_paths()
        try:
            return self._make_series(place, elements)
        except FileNotFoundError:
            # Somebody removes directories while we make them.
            self.follow_paths()
            return self._make_series(place, elements)

    def _make_series(self, place: Place, elements: Elements) -> int:
        patient_at = self.location(place.patient_dir)
        study_at = self.location(place.patient_dir, place.study_dir)
        series_at = self.location(place.patient_dir, place.study_dir, place.series_dir)
        opened: list[int] = []
        try:
            for name in (place.patient_dir, place.study_dir, place.series_dir):
                opened.append(make_child(opened[-1] if opened else self.data_fd, name))
            patient_fd, study_fd, series_fd = opened
            self._write_once(patient_fd, naming.patient_info(elements, patient_at))
            self._write_once(study_fd, naming.study_info(elements, study_at))
            self._mark_receiving(series_fd, naming.series_info(elements, series_at))
            if self.is_durable:
                for fd in (series_fd, study_fd, patient_fd, self.data_fd):
                    os.fsync(fd)
            self._write_map("patient_map", naming.map_file(elements.patient_id, patient_at))
            self._write_map("study_map", naming.map_file(elements.study_uid, study_at))
            self._write_map("series_map", naming.map_file(elements.series_uid, series_at))
            if self.is_durable:
                os.fsync(self.log_fd)
            return opened.pop()
        finally:
            for fd in opened:
                os.close(fd)

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
        fd = make_child(self.log_fd, directory)
        try:
            if _read_text(fd, entry.name) != entry.text:
                self._maps.write_text(fd, entry.name, entry.text, is_durable=self.is_durable, replace=True)
            elif self.is_durable:
                # Who wrote it may not be done yet.
                os.fsync(fd)
        finally:
            os.close(fd)


def _read_text(directory_fd: int, name: str) -> str | None:
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory_fd)
    except OSError:
        return None
    try:
        return os.pread(fd, _MAX_MAP_BYTES, 0).decode("utf-8", "replace")
    finally:
        os.close(fd)
