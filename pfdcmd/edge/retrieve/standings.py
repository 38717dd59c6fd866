"""How series stand, from the ledger: the same few reads, whether a series has ten images or a hundred thousand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pfdcmd.edge.retrieve.ledger import SqliteLedger
from pfdcmd.edge.retrieve.seriesdirectory import has_ended, is_receiving, read_series_directory
from pfdcmd.edge.retrieve.seriesmap import read_series_map
from pfdcmd.edge.roots import Roots
from pfdcmd.errors import StorageFault
from pfdcmd.names import Uid
from pfdcmd.retrieve.ledger import Noted
from pfdcmd.retrieve.standing import Standing

_READ_AT_ONCE_FILES = 1_000
"""A directory of so many is read in the few milliseconds that a caller may wait; one of 100,000 takes half a second."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Place:
    """A series directory, before anything in it is counted: a sender that ends meanwhile has its last images counted.

    has_ended: an association has filed into it; is_receiving: one is doing so now.
    """

    directory: str
    has_ended: bool
    is_receiving: bool

    @property
    def is_settled(self) -> bool:
        return self.has_ended and not self.is_receiving


async def find_standing(
    ledger: SqliteLedger, series_map_dir: Path, series: Uid, roots: Roots | None = None
) -> Standing | None:
    """How a series stands; None when no map file names it.

    While an association files into the directory it is told of as noted. So it is when many files are there and
    anything has changed since they were read: it is settled only once they have been read again, which this sets about.

    Without a ledger that can be read, what is in the directory has to do.

    Args:   roots: where map files and what they name may be; anywhere without them.
    Raises: StorageFault: the map file or the directory cannot be read; PathRefused: or is out of the roots.
    """
    roots = roots or Roots()

    def see(noted_of: Callable[[str], Noted]) -> tuple[_Place, Noted] | None:
        place = _find_place(series_map_dir, series, roots)
        return (place, noted_of(place.directory)) if place is not None else None

    try:
        seen = await ledger.seen(series, see)
        if seen is None:
            return None
        place, noted = seen
        if noted.is_current:
            return _standing(place, noted)
        if noted.files is not None and (place.is_receiving or noted.files > _READ_AT_ONCE_FILES):
            ledger.look_soon(series, place.directory)
            return _standing(place, noted)
        await ledger.look(series, [place.directory])
        noted = await ledger.seen(series, lambda noted_of: noted_of(place.directory))
        if noted.files is None:
            raise StorageFault("The series directory belongs to another series.")
        return _standing(place, replace(noted, is_current=True))
    except StorageFault as fault:
        return await asyncio.to_thread(_by_the_files, series_map_dir, series, roots, fault)


def _find_place(series_map_dir: Path, series: Uid, roots: Roots) -> _Place | None:
    file = roots.confine(series_map_dir / f"{series}.json")
    directory = read_series_map(file.parent, series)
    if directory is None:
        return None
    roots.confine(Path(directory))
    return _Place(directory, has_ended=has_ended(directory), is_receiving=is_receiving(directory))


def _standing(place: _Place, noted: Noted) -> Standing:
    expected = noted.record.expected if noted.record else None
    return Standing(
        directory=place.directory,
        files=noted.files or 0,
        is_settled=place.is_settled and noted.is_current,
        expected=expected,
        missing=noted.record.missing if noted.record and expected is not None else None,
        job=noted.job[0] if noted.job else None,
        is_under_way=bool(noted.job and not noted.job[1]),
    )


def _by_the_files(series_map_dir: Path, series: Uid, roots: Roots, fault: StorageFault) -> Standing | None:
    place = _find_place(series_map_dir, series, roots)  # the fault may have been that of its map file
    if place is None:
        return None
    _log.error("the ledger cannot tell of a series: %s", fault.cause or fault.message)
    try:
        files = read_series_directory(place.directory, frozenset()).files
    except (OSError, ValueError) as error:
        raise StorageFault("The series directory cannot be read.", cause=str(error)) from error
    return Standing(place.directory, files, place.is_settled)
