"""The ledger: what is expected of every series, what is here, and the jobs, kept in SQLite.

Its file is one that can be made again from the others. Several hosts may share a ledger some day: nothing outside of
edge.retrieve.ledger* knows how it is kept.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pfdcmd.edge.retrieve import ledgerfacts, ledgerjobs, receipts
from pfdcmd.edge.retrieve.ledgerfile import LedgerFile
from pfdcmd.edge.retrieve.ledgerreceipts import ReceiptBatch
from pfdcmd.errors import StorageFault
from pfdcmd.retrieve.estimate import Rates
from pfdcmd.retrieve.job import Job
from pfdcmd.retrieve.ledger import DirectoryRecord, Noted, SeriesRecord

FILE_NAME = "ledger.sqlite3"
_MAX_LOOKS_AT_ONCE = 100
_LOOK_SOON_SECONDS = 0.25
# A directory of 100,000 images takes half a second to read: not more often than every 100 s while images arrive in it.
_LOOK_SOON_SECONDS_A_FILE = 1e-3

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class SqliteLedger:
    """The open ledger. Every method raises StorageFault when it cannot be read or written."""

    def __init__(self, state_directory: Path) -> None:
        self._file = LedgerFile(state_directory / FILE_NAME)
        self._receipts = state_directory / receipts.DIRECTORY
        self._looking: dict[str, asyncio.Task[None]] = {}

    async def open(self) -> None:
        """Make it ready. Raises: StorageFault."""
        await self._file.open()

    @property
    def number(self) -> int:
        """Of the file: another number is another file, made again because the former was lost while it was in use."""
        return self._file.number

    def close(self) -> None:
        """Write what is waiting, and close the file."""
        for task in self._looking.values():
            task.cancel()
        self._file.close()

    async def catch_up(self) -> frozenset[str]:
        """Read the receipts that the listeners have written. Returns: the series that they are of."""
        if not await self._file.read(lambda db: receipts.has_news(db, self._receipts)):
            return frozenset()
        return await self._file.write(self._catch_up)

    async def forget_receipts(self) -> None:
        """Remove the receipts files that have been read and that nobody appends to."""
        finished = receipts.finished_files(self._receipts)
        if finished:
            await self._file.write(self._catch_up)
            await self._file.write(lambda db: receipts.forget_files(db, finished))

    async def look(
        self, series: str, directories: Collection[str], *, seconds_a_file: float = 0.0
    ) -> Sequence[DirectoryRecord]:
        """Compare these directories, and those known, with what is on disk, if it has changed since.

        seconds_a_file: by how much longer than else a directory that images arrive in is left to the receipts.
        """

        def look(db: sqlite3.Connection) -> Sequence[DirectoryRecord]:
            # First what is noted already: a receipt read later must not bring back what is seen to be gone.
            self._catch_up(db)
            return ledgerfacts.look(db, series, directories, seconds_a_file=seconds_a_file)

        return await self._file.write(look)

    async def seen(self, series: str, see: Callable[[Callable[[str], Noted]], _T]) -> _T:
        """What is noted of a series, without waiting for receipts or for the writer.

        Args: see: is called in a reader's thread with a function that takes a directory of the series; the disk can be
              asked there as well, which saves a turn of another thread.
        """
        return await self._file.read(lambda db: see(lambda directory: ledgerfacts.noted(db, series, directory)))

    def look_soon(self, series: str, directory: str) -> None:
        """As look, for whoever comes later: four times a second at most for a series, however often it is asked for."""
        if series in self._looking or len(self._looking) >= _MAX_LOOKS_AT_ONCE:
            return
        self._looking[series] = task = asyncio.create_task(self._look_alone(series, directory))
        task.add_done_callback(lambda _: self._looking.pop(series))

    async def record(self, series: str) -> SeriesRecord | None:
        """The counts of one series."""
        return await self._file.read(lambda db: ledgerfacts.record(db, series))

    async def present(self, series: str) -> frozenset[str]:
        """The instances on disk."""
        return await self._file.read(lambda db: ledgerfacts.present(db, series))

    async def troubles(self, series: str) -> Mapping[str, str]:
        """instance -> why the listener did not file it; "" for one that it could not tell."""
        return await self._file.read(lambda db: ledgerfacts.troubles(db, series))

    async def series_of_study(self, study: str) -> Sequence[str]:
        """The series of which anything is on disk."""
        return await self._file.read(lambda db: ledgerfacts.series_of_study(db, study))

    async def note_listed(self, study: str, series: str, instances: Collection[str]) -> None:
        """What an IMAGE level C-FIND answered; it takes the place of what one answered before."""
        await self._file.write(lambda db: ledgerfacts.note_listed(db, study, series, instances))

    async def note_counts(self, study: str, series: str, *, counted: int | None, moved: int | None) -> None:
        """What the PACS counts; None leaves what is noted."""
        await self._file.write(lambda db: ledgerfacts.note_counts(db, study, series, counted, moved))

    async def knows_destination(self, title: str) -> bool:
        """Whether images called by this AE title have arrived here; true as long as none at all have."""
        return await self._file.read(lambda db: ledgerfacts.knows_destination(db, title))

    async def note_destination(self, title: str) -> None:
        """Images for this AE title, or under another that the PACS calls us by, do arrive here."""
        await self._file.write(lambda db: ledgerfacts.note_destination(db, title))

    async def save_job(self, job: Job) -> None:
        """Note the job as it stands; durable when this returns."""
        await self._file.write(lambda db: ledgerjobs.save_job(db, job), is_durable=True)

    async def job(self, job_id: str) -> Job | None:
        """The job as noted."""
        return await self._file.read(lambda db: ledgerjobs.job(db, job_id))

    async def jobs(self, limit: int) -> Sequence[Job]:
        """The latest ones, the newest first."""
        return await self._file.read(lambda db: ledgerjobs.jobs(db, limit))

    async def open_jobs(self) -> Sequence[Job]:
        """Those that are not final, the oldest first."""
        return await self._file.read(ledgerjobs.open_jobs)

    async def unsolicited(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """Series of which images arrived that no job had asked for, the latest first."""
        return await self._file.read(lambda db: ledgerfacts.unsolicited(db, limit))

    async def map_directories(self) -> frozenset[str]:
        """The directories of map files that have been read to their end since there is this ledger."""
        return await self._file.read(ledgerfacts.map_directories)

    async def note_map_directory(self, path: str) -> None:
        """All series that have a map file there have been looked at."""
        await self._file.write(lambda db: ledgerfacts.note_map_directory(db, path))

    async def note_rate(self, pacs: str, rates: Rates) -> None:
        """Add what a move has brought, and how long it took."""
        await self._file.write(lambda db: ledgerjobs.note_rate(db, pacs, rates))

    async def rates(self, pacs: str) -> Rates:
        """The sum of what moves have brought."""
        return await self._file.read(lambda db: ledgerjobs.rates(db, pacs))

    async def _look_alone(self, series: str, directory: str) -> None:
        try:
            await self.look(series, [directory], seconds_a_file=_LOOK_SOON_SECONDS_A_FILE)
        except StorageFault as fault:
            _log.error("a series cannot be looked at: %s", fault.cause or fault.message)
        await asyncio.sleep(_LOOK_SOON_SECONDS)

    def _catch_up(self, db: sqlite3.Connection) -> frozenset[str]:
        batch = ReceiptBatch(db)
        series = receipts.read_receipts(db, self._receipts, batch.add)
        batch.end()
        return series
