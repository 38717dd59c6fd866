"""Has the ledger know of what is on disk without having been told: all series that have a map file.

Each directory of map files is read once in a ledger's life. One that a killed pfdcm had begun is read again, and so is
one that is named only later: at the start nobody has told yet which services there are.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from pathlib import Path

from pfdcmd.edge.retrieve.seriesmap import mapped_series, read_series_map
from pfdcmd.edge.retrieve.site import JobSite
from pfdcmd.edge.roots import Roots
from pfdcmd.errors import PathRefused, StorageFault
from pfdcmd.names import Uid

_PAUSE_SECONDS = 2.0
_PAUSE_AFTER_FAULT_SECONDS = 30.0
_SERIES_AT_ONCE = 500

_log = logging.getLogger(__name__)


async def keep_complete(site: JobSite) -> None:
    """Until cancelled, read every directory of map files that the ledger has not been made from.

    Nothing waits for it: whoever asks for a series has it looked at there and then.
    """
    while True:
        pause_seconds = _PAUSE_SECONDS
        try:
            unread = await _unread(site)
        except StorageFault as fault:
            pause_seconds = _tell_of_fault(fault)
            unread = []
        for directory in unread:
            try:
                await _read(site, directory)
            except StorageFault as fault:
                pause_seconds = _tell_of_fault(fault)
        await asyncio.sleep(pause_seconds)


def _tell_of_fault(fault: StorageFault) -> float:
    """Returns: in how many seconds to try again."""
    _log.error("the ledger is not complete: %s", fault.cause or fault.message)
    return _PAUSE_AFTER_FAULT_SECONDS


async def _unread(site: JobSite) -> list[Path]:
    """Those that are there: what is not there may be a disk that comes back."""
    read = await site.ledger.map_directories()
    unread = [directory for directory in site.series_map_directories() if str(directory) not in read]
    return [directory for directory in unread if await asyncio.to_thread(_is_there, directory, site.roots)]


async def _read(site: JobSite, directory: Path) -> None:
    number = site.ledger.number
    uids = mapped_series(directory)
    count = 0
    failed: list[Uid] = []
    while some := await asyncio.to_thread(lambda: tuple(itertools.islice(uids, _SERIES_AT_ONCE))):
        for uid in some:
            try:
                count += await _look(site, directory, uid)
            except StorageFault:
                failed.append(uid)
    # It may have been the ledger that failed, on a full disk. If it does so still, the note below cannot be made.
    for uid in failed:
        try:
            count += await _look(site, directory, uid)
        except StorageFault as fault:
            _log.warning("a series is not in the ledger: %s", fault.cause or fault.message)
    # Another number is another ledger: what has been read is not in it.
    if number == site.ledger.number:
        await site.ledger.note_map_directory(str(directory))
        _log.info("the ledger knows the files of %d series by %s", count, directory)


async def _look(site: JobSite, directory: Path, uid: Uid) -> bool:
    """Returns: whether there was anything to look at. Raises: StorageFault."""
    mapped = await asyncio.to_thread(_mapped, directory, uid, site.roots)
    if mapped is None:
        return False
    await site.ledger.look(uid, [mapped])
    return True


def _is_there(directory: Path, roots: Roots) -> bool:
    try:
        return roots.confine(directory).is_dir()
    except (PathRefused, OSError):
        return False


def _mapped(series_map_dir: Path, uid: Uid, roots: Roots) -> str | None:
    try:
        directory = read_series_map(series_map_dir, uid)
        if directory is not None:
            roots.confine(Path(directory))
    except PathRefused:
        return None
    return directory
