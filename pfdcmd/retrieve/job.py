"""A retrieve as a job: what was asked for, how far it has got, and what is known of each series."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    """Where a job stands; the last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether a job stays in it for ever."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True)
class RetrieveRequest:
    """What to retrieve: a study, or some of its series; the same request while it runs is the same job.

    study is None when only the series is known: its study is looked up first.
    """

    pacs: str
    study: str | None
    series: tuple[str, ...] = ()
    is_forced: bool = False


@dataclass(frozen=True)
class SeriesProgress:
    """One series of a job. expected is None as long as nobody has said how many images there are."""

    series: str
    state: JobState
    expected: int | None
    received: int
    missing: tuple[str, ...]
    reasons: tuple[str, ...]
    size_bytes: int


@dataclass(frozen=True)
class Job:
    """A retrieve. Times are seconds since the epoch; verdict is one sentence for people."""

    id: str
    request: RetrieveRequest
    state: JobState
    created: float
    ended: float | None
    attempts: int
    series: tuple[SeriesProgress, ...]
    verdict: str
