"""How series stand, from the ledger: the same few reads, whether a series has ten images or a hundred thousand."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from pfdcmd.edge.retrieve.ledger import SqliteLedger
from pfdcmd.edge.retrieve.seriesdirectory import is_settled, read_series_directory
from pfdcmd.edge.retrieve.seriesmap import read_series_map
from pfdcmd.edge.roots import Roots
from pfdcmd.errors import StorageFault
from pfdcmd.names import Uid
from pfdcmd.retrieve.standing import Standing

_log = logging.getLogger(__name__)


async def find_standing(
    ledger: SqliteLedger, series_map_dir: Path, series: Uid, roots: Roots | None = None
) -> Standing | None:
    """How a series stands; None when no map file names it.

    Without a ledger that can be read, what is in the directory has to do.

    Args:   roots: where map files and what they name may be; anywhere without them.
    Raises: StorageFault: the map file or the directory cannot be read; PathRefused: or is out of the roots.
    """
    roots = roots or Roots()
    file = await asyncio.to_thread(roots.confine, series_map_dir / f"{series}.json")
    directory = await asyncio.to_thread(read_series_map, file.parent, series)
    if directory is None:
        return None
    await asyncio.to_thread(roots.confine, Path(directory))
    # Before the files are counted: a sender that ends meanwhile has its last images counted.
    settled = await asyncio.to_thread(is_settled, directory)
    try:
        await ledger.catch_up()
        place = await ledger.looked_at(series, directory)
        record = await ledger.record(series)
        job = await ledger.job_of_series(series)
    except StorageFault as fault:
        _log.error("the ledger cannot tell of a series: %s", fault.cause or fault.message)
        return await asyncio.to_thread(_by_the_files, directory, is_settled=settled)
    expected = record.expected if record else None
    return Standing(
        directory=directory,
        files=place.files,
        is_settled=settled,
        expected=expected,
        missing=record.missing if record and expected is not None else None,
        job=job[0] if job else None,
        is_under_way=bool(job and not job[1]),
    )


def _by_the_files(directory: str, *, is_settled: bool) -> Standing:
    try:
        return Standing(directory, read_series_directory(directory, frozenset()).files, is_settled)
    except (OSError, ValueError) as error:
        raise StorageFault("The series directory cannot be read.", cause=str(error)) from error
