"""The ledger: what is expected of every series, what is here, and the jobs. edge.retrieve.ledger keeps it in SQLite.

Several hosts may share one some day: nothing outside of edge.retrieve.ledger* knows how it is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pfdcmd.retrieve.estimate import Rates
from pfdcmd.retrieve.job import Job


@dataclass(frozen=True)
class SeriesRecord:
    """Counts of one series, each kept as it changes, so that reading them takes the same time whatever their size.

    listed, counted, moved: as in SeriesEvidence, None when not known; listed_present: of the listed ones, those here.
    """

    uid: str
    study: str
    listed: int | None
    listed_present: int
    counted: int | None
    moved: int | None
    present: int
    size_bytes: int

    @property
    def expected(self) -> int | None:
        """As SeriesEvidence.expected."""
        if self.listed is not None and self.listed == self.counted:
            return self.listed
        return max((n for n in (self.listed, self.counted, self.moved) if n is not None), default=None)

    @property
    def missing(self) -> int:
        """How many expected ones are not here; 0 when nothing is known to be expected."""
        return max((self.listed or 0) - self.listed_present, (self.expected or 0) - self.present, 0)


@dataclass(frozen=True)
class DirectoryRecord:
    """What a series directory held when it was last looked at, and since by receipts; files: names ending in .dcm."""

    path: str
    files: int


class Ledger(Protocol):
    """Every method raises StorageFault when the ledger cannot be read or written."""

    async def catch_up(self) -> frozenset[str]:
        """Read the receipts that the listeners have written. Returns: the series that they are of."""
        ...

    async def look(self, series: str, directories: Collection[str]) -> Sequence[DirectoryRecord]:
        """Compare these directories, and those known, with what is on disk, if it has changed since."""
        ...

    async def record(self, series: str) -> SeriesRecord | None:
        """The counts of one series."""
        ...

    async def present(self, series: str) -> frozenset[str]:
        """The instances on disk."""
        ...

    async def troubles(self, series: str) -> Mapping[str, str]:
        """instance -> why the listener did not file it; "" for one that it could not tell."""
        ...

    async def series_of_study(self, study: str) -> Sequence[str]:
        """The series of which anything is on disk."""
        ...

    async def note_listed(self, study: str, series: str, instances: Collection[str]) -> None:
        """What an IMAGE level C-FIND answered; it takes the place of what one answered before."""
        ...

    async def note_counts(self, study: str, series: str, *, counted: int | None, moved: int | None) -> None:
        """What the PACS counts; None leaves what is noted."""
        ...

    async def knows_destination(self, title: str) -> bool:
        """Whether images called by this AE title have arrived here; true as long as none at all have."""
        ...

    async def note_destination(self, title: str) -> None:
        """Images for this AE title, or under another that the PACS calls us by, do arrive here."""
        ...

    async def save_job(self, job: Job) -> None:
        """Note the job as it stands; durable when this returns."""
        ...

    async def job(self, job_id: str) -> Job | None:
        """The job as noted."""
        ...

    async def jobs(self, limit: int) -> Sequence[Job]:
        """The latest ones, the newest first."""
        ...

    async def open_jobs(self) -> Sequence[Job]:
        """Those that are not final, the oldest first."""
        ...

    async def job_of_series(self, series: str) -> tuple[str, bool] | None:
        """The latest job that named the series, and whether it is final."""
        ...

    async def unsolicited(self, limit: int) -> Sequence[Mapping[str, Any]]:
        """Series of which images arrived that no job had asked for, the latest first."""
        ...

    async def note_rate(self, pacs: str, rates: Rates) -> None:
        """Add what a move has brought, and how long it took."""
        ...

    async def rates(self, pacs: str) -> Rates:
        """The sum of what moves have brought."""
        ...
