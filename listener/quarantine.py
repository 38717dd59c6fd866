"""Quarantine: images that came whole and cannot be filed, kept as they were received until somebody decides.

<time>-<random>.dcm    Part 10: our header with the UIDs of the C-STORE-RQ, then the data set byte for byte
<time>-<random>.json   the note: when, from whom, what the request said, the status that was answered, and why

Both are on disk before the sender is told of the failure; the note comes first, so that no image is without one. What
is here is bounded, by number and bytes; what does not fit is dropped, with a line in the log.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import secrets
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from listener.archive import Archive
from listener.config import Config
from listener.directories import is_elsewhere
from listener.space import Space
from listener.spool import Spool

if TYPE_CHECKING:
    from listener.image import IncomingImage

IMAGE_SUFFIX = ".dcm"
NOTE_SUFFIX = ".json"
DIRECTORY = "quarantine"

_LOG = logging.getLogger("listener.quarantine")
_MODE = 0o700
_MAX_NOTE_BYTES = 16_384
# Other workers, services and people put and take: how long what was counted is gone by.
_COUNT_SECONDS = 1.0


@dataclass(frozen=True)
class Note:
    """What is noted of an image. `status` is hexadecimal; UIDs and the move's originator are the request's."""

    time: str
    service: str
    peer: str
    calling: str
    called: str
    sop_class: str
    sop_instance: str
    transfer_syntax: str
    status: str
    reason: str
    move_originator: str
    move_originator_message_id: int | None
    bytes: int


class Quarantine:
    """The quarantine of one service. Its directory is made when it is first needed; any thread may use it."""

    def __init__(self, config: Config, archive: Archive, space: Space) -> None:
        self._config = config
        self._archive = archive
        self._space = space
        self._mutex = threading.Lock()
        self._spool: Spool | None = None
        self._counted = (0, 0)
        self._next_count = 0.0

    def put(self, image: IncomingImage, note: Note) -> bool:
        """Keep the image, durably. Returns: False when it could not be; the log says why."""
        with self._mutex:
            try:
                spool = self.open()
                why = self._room_for(spool, image.file_bytes)
                if not why:
                    self._put(spool, image, note)
            except OSError as error:
                why = os.strerror(error.errno or errno.EIO)
        if why:
            _LOG.error("an image could not be put into quarantine, and is dropped: %s", why)
        return not why

    def open(self) -> Spool:
        """The directory, made when missing. Raises: OSError."""
        if self._spool is not None and is_elsewhere(self._spool.fd, self._spool.directory):
            self.close()
        if self._spool is None:
            self._spool = _open_first(_places(self._config, self._archive), self._archive)
        return self._spool

    def close(self) -> None:
        """Let go of its directory."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def _put(self, spool: Spool, image: IncomingImage, note: Note) -> None:
        stem = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        os.fdatasync(image.temp.fd)
        text = json.dumps(asdict(note), indent=2) + "\n"
        spool.write_text(spool.fd, stem + NOTE_SUFFIX, text, is_durable=True, replace=False)
        try:
            try:
                image.place(spool.fd, stem + IMAGE_SUFFIX)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                image.copy_to(spool, stem + IMAGE_SUFFIX)
        except OSError:
            os.unlink(stem + NOTE_SUFFIX, dir_fd=spool.fd)
            raise
        os.fsync(spool.fd)
        self._counted = (self._counted[0] + 1, self._counted[1] + image.file_bytes)
        _LOG.warning("an image is in quarantine: %s", stem)

    def _room_for(self, spool: Spool, size_bytes: int) -> str:
        """Why there is none; empty when there is."""
        fault = self._space.fault()
        if fault is not None:
            return str(fault)
        if time.monotonic() >= self._next_count:
            self._counted = _count(spool)
            self._next_count = time.monotonic() + _COUNT_SECONDS
        files, used = self._counted
        if files >= self._config.quarantine_max_files:
            return f"there are {files} images in it"
        if used + size_bytes > self._config.quarantine_max_bytes:
            return f"there are {used} bytes in it"
        return ""


def names(spool: Spool) -> list[str]:
    """The stems of the images that are there, the first come first."""
    return sorted(name.removesuffix(IMAGE_SUFFIX) for name in spool.names("") if name.endswith(IMAGE_SUFFIX))


def read_note(spool: Spool, stem: str) -> dict[str, Any]:
    """What is noted of an image; empty when there is nothing that can be read."""
    try:
        fd = os.open(stem + NOTE_SUFFIX, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=spool.fd)
    except OSError:
        return {}
    try:
        values = json.loads(os.pread(fd, _MAX_NOTE_BYTES, 0))
    except (OSError, ValueError, RecursionError):
        return {}
    finally:
        os.close(fd)
    return values if isinstance(values, dict) else {}


def remove(spool: Spool, stem: str) -> None:
    """Take an image and its note away, durably. Raises: OSError."""
    for suffix in (IMAGE_SUFFIX, NOTE_SUFFIX):
        try:
            os.unlink(stem + suffix, dir_fd=spool.fd)
        except FileNotFoundError:
            continue
    os.fsync(spool.fd)


def _places(config: Config, archive: Archive) -> Iterator[Path]:
    """Where the quarantine may be, the best first: beside the spool, or in it, on the data directory's file system."""
    if config.quarantine_dir:
        yield Path(config.quarantine_dir)
        return
    spool = Path(archive.spool.directory).absolute()
    beside = spool.parent / DIRECTORY
    # Whoever reads the data directory would take what is there for images that were filed.
    if not beside.is_relative_to(Path(archive.data_dir).absolute()):
        yield beside
    yield spool / DIRECTORY


def _open_first(places: Iterator[Path], archive: Archive) -> Spool:
    chosen = list(places)
    for place in chosen:
        try:
            place.mkdir(mode=_MODE, exist_ok=True, parents=len(chosen) == 1)
            if len(chosen) == 1 or _is_ours(place, archive):
                return Spool(str(place))
        except OSError:
            if place is chosen[-1]:
                raise
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(chosen[-1]))


def _is_ours(place: Path, archive: Archive) -> bool:
    """Whether nobody else can put anything there, or read it, and a file of the spool can be named in it."""
    there = place.lstat()
    return (
        stat.S_ISDIR(there.st_mode)
        and there.st_uid == os.geteuid()
        and not there.st_mode & 0o077
        and there.st_dev == os.fstat(archive.spool.fd).st_dev
    )


def _count(spool: Spool) -> tuple[int, int]:
    """Images, and bytes of all files, that are there."""
    files = used = 0
    with os.scandir(spool.fd) as entries:
        for entry in entries:
            files += entry.name.endswith(IMAGE_SUFFIX)
            with suppress(FileNotFoundError):
                used += entry.stat(follow_symlinks=False).st_size
    return files, used
