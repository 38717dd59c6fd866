"""What is known of a series that is being retrieved, each fact with where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pfdcmd.pacs.outcome import MoveOutcome

_ALL_DONE = (0x0000, 0xB000)


@dataclass(frozen=True)
class SeriesEvidence:
    """listed: the instances of an IMAGE level C-FIND, None when the PACS did not answer one.

    counted: NumberOfSeriesRelatedInstances (PS3.4 Table C.3.4-1); moved: sub-operations of a move of the whole series;
    present: what is durable on disk; troubles: instance -> what the listener had against it; faults: why the PACS could
    not be asked; needs_move: whether what is here does not count as retrieved, because the caller wants all of it
    again, or because images for the peer's move destination are not known to arrive here.
    """

    series: str
    listed: frozenset[str] | None = None
    counted: int | None = None
    moved: int | None = None
    present: frozenset[str] = frozenset()
    size_bytes: int = 0
    outcomes: tuple[MoveOutcome, ...] = ()
    troubles: Mapping[str, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    needs_move: bool = False

    @property
    def expected(self) -> int | None:
        """As count_expected."""
        return count_expected(self.numbers.get("lists"), self.counted, self.moved)

    @property
    def numbers(self) -> dict[str, int]:
        """What the PACS does -> the number of images by that."""
        given = {"lists": None if self.listed is None else len(self.listed), "counts": self.counted, "sent": self.moved}
        return {verb: number for verb, number in given.items() if number is not None}

    @property
    def missing(self) -> frozenset[str]:
        """Those that can be named."""
        return (self.listed or frozenset()) - self.present

    @property
    def missing_count(self) -> int:
        """Those that cannot be named are missing too: the PACS counts more than it lists."""
        return max(len(self.missing), (self.expected or 0) - len(self.present))


def count_expected(listed: int | None, counted: int | None, moved: int | None) -> int | None:
    """How many images a series must have here, of the numbers in SeriesEvidence, each None when not known.

    Returns: listed, when it is as many as are counted; else the greatest number given, None when none was.
    """
    if listed is not None and listed == counted:
        return listed
    return max((number for number in (listed, counted, moved) if number is not None), default=None)


def sub_operations(outcome: MoveOutcome) -> int | None:
    """How many images the PACS set out to send; None when it did not say.

    Of a retrieve that has ended well none remain, whatever the last count before its end said (PS3.7 Table 9.1-4).
    """
    counts = outcome.counts
    remaining = None if outcome.status in _ALL_DONE else counts.remaining
    given = [n for n in (counts.completed, counts.failed, counts.warning, remaining) if n is not None]
    return sum(given) if given else None
