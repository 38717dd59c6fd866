"""A series directory as it is on disk: which instances, told by file names, and when to look again."""

from __future__ import annotations

import os
import time
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pfdcmd.errors import ParameterFault
from pfdcmd.names import parse_uid

COMPLETE = "series.info"
RECEIVING = "receiving.series"
IMAGE_SUFFIX = ".dcm"

_SECOND_NS = 1_000_000_000
# A change within the same tick of the file system's clock as the look leaves the time as it was.
_FINE_TICK_NS = 50_000_000
_COARSE_TICK_NS = 2 * _SECOND_NS


@dataclass(frozen=True)
class DirectoryContent:
    """instances: UID -> size in bytes; files: how many names end in .dcm, copies that differ included.

    mtime_ns is when the directory was modified before it was read, 0 when it may change again unseen.
    """

    instances: dict[str, int]
    files: int
    mtime_ns: int


def modified_ns(directory: str) -> int | None:
    """When the directory was modified; None when there is no such directory.

    A copy that keeps times, as one from a backup does, has the modification time of what it replaces: nobody can set
    the status change time. A file system that keeps none says 0.
    """
    try:
        status = Path(directory).stat()
    except (OSError, ValueError):
        return None
    return max(status.st_mtime_ns, status.st_ctime_ns)


def is_receiving(directory: str) -> bool:
    """Whether an association is filing into it."""
    return (Path(directory) / RECEIVING).exists()


def has_ended(directory: str) -> bool:
    """Whether an association that filed into it has ended; another may be filing now."""
    return (Path(directory) / COMPLETE).exists()


def read_series_directory(directory: str, known: Set[str]) -> DirectoryContent:
    """What is there; a directory that has been taken away is empty. Images that are not known yet are made durable.

    There may be a hundred thousand: nothing is done with all of them by one instruction, which no other thread of
    Python could interrupt.

    Raises: OSError: it cannot be read.
    """
    mtime_ns = modified_ns(directory)
    if mtime_ns is None:
        return DirectoryContent({}, 0, 0)
    instances: dict[str, int] = {}
    files = 0
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(IMAGE_SUFFIX):
                files += 1
                uid = _instance_of(entry.name, known)
                size_bytes = _size(entry, is_known=uid in known)
                if uid is not None and size_bytes is not None:
                    instances[uid] = size_bytes
    if any(uid not in known for uid in instances):
        # Their listener may have been killed between naming them and making the name durable.
        _sync(directory)
    return DirectoryContent(instances, files, mtime_ns if _is_distinct(mtime_ns) else 0)


def _instance_of(name: str, known: Set[str]) -> str | None:
    """The SOP Instance UID in `<InstanceNumber>-<SOPInstanceUID>.dcm`; None for a copy that differs, or another's."""
    text = name.removesuffix(IMAGE_SUFFIX).rpartition("-")[2]
    if text in known:
        return text
    with suppress(ParameterFault):
        return parse_uid(text, "name")
    return None


def _size(entry: os.DirEntry[str], *, is_known: bool) -> int | None:
    """In bytes, 0 of one that is known already; None when it is no image: empty, a directory, a link to nothing."""
    with suppress(OSError):
        if not entry.is_file():  # known from the directory's entry, but of a link
            return None
        return 0 if is_known else entry.stat().st_size or None
    return None


def _sync(directory: str) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_distinct(mtime_ns: int) -> bool:
    """Whether a change from now on would have another time; one that is ahead of the clock would not come again."""
    tick_ns = _FINE_TICK_NS if mtime_ns % _SECOND_NS else _COARSE_TICK_NS
    return abs(time.time_ns() - mtime_ns) > tick_ns
