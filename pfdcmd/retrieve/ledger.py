"""What the ledger says of a series and of its directories; edge.retrieve.ledger keeps it."""

from __future__ import annotations

from dataclasses import dataclass

from pfdcmd.retrieve.evidence import count_expected


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
        """As evidence.count_expected."""
        return count_expected(self.listed, self.counted, self.moved)

    @property
    def missing(self) -> int:
        """How many expected ones are not here; 0 when nothing is known to be expected."""
        return max((self.listed or 0) - self.listed_present, (self.expected or 0) - self.present, 0)


@dataclass(frozen=True)
class DirectoryRecord:
    """What a series directory held when it was last looked at, and since by receipts; files: names ending in .dcm."""

    path: str
    files: int


@dataclass(frozen=True)
class Noted:
    """What is noted of a series and of one directory of it, had in the same few reads whatever their size.

    files: as in DirectoryRecord, None when the directory is not known as one of this series; is_current: nothing has
    changed in it since it was looked at; job: the latest that named the series, and whether it is final.
    """

    files: int | None
    is_current: bool
    record: SeriesRecord | None
    job: tuple[str, bool] | None
