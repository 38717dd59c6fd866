"""One job at work: attempts until everything is here, nothing more can be had, or it is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from pfdcmd.edge.retrieve.attempt import AttemptResult, attempt
from pfdcmd.edge.retrieve.site import JobSite
from pfdcmd.errors import Fault, StorageFault
from pfdcmd.pacs.outcome import RETURNCODE_FAILED, MoveOutcome
from pfdcmd.retrieve.evidence import SeriesEvidence
from pfdcmd.retrieve.job import Job, JobState, SeriesProgress
from pfdcmd.retrieve.verdict import StudyCounts, judge_job, judge_series

_MAX_PAUSE_SECONDS = 600.0
_MAX_PAUSE_BETWEEN_GAINS_SECONDS = 1.0
_QUIET_POLL_SECONDS = 30.0
_QUIET = "Waits for the end of the PACS's quiet hours."

_log = logging.getLogger(__name__)


class JobRun:
    """Runs one job; `job` is how it stands, in memory and, but for its progress, in the ledger."""

    def __init__(self, job: Job, site: JobSite, changed: Callable[[Job], None]) -> None:
        self.job = job
        self.outcome: MoveOutcome | None = _not_all("The retrieve has not ended.")
        self._site = site
        self._changed = changed
        self._stalled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hurry = asyncio.Event()
        self._counts = StudyCounts()
        self._present: dict[str, int] = {}
        self._open: list[str] = []
        self._doubtful: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._is_cancelled = False

    def begin(self, *, attempts: int, is_once: bool) -> asyncio.Task[None]:
        """Start it; it gives up after so many attempts in a row that brought nothing, or at once after the first."""
        self._task = asyncio.create_task(self._run(attempts, is_once), name=f"job {self.job.id}")
        return self._task

    def stalled(self) -> Awaitable[None]:
        """Wait until it has ended, or is held up: an attempt brought nothing, or it is a quiet hour."""
        return asyncio.shield(self._stalled)

    def hurry(self) -> None:
        """Begin the next attempt now: somebody asks for it again."""
        self._hurry.set()

    async def cancel(self) -> None:
        """End it, whatever it does; returns once it has ended."""
        self._is_cancelled = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def refresh(self, series: frozenset[str]) -> None:
        """Take over what has arrived of these series. Raises: StorageFault."""
        progress = list(self.job.series)
        for index, one in enumerate(progress):
            if one.series not in series or one.state is not JobState.RUNNING:
                continue
            record = await self._site.ledger.record(one.series)
            if record is not None:
                expected = record.expected
                received = record.present if expected is None else expected - record.missing
                progress[index] = replace(one, expected=expected, received=received, size_bytes=record.size_bytes)
        if not self.job.state.is_final and tuple(progress) != self.job.series:
            self._set(series=tuple(progress))

    async def _run(self, attempts: int, is_once: bool) -> None:
        try:
            await self._attempt_until_done(attempts, is_once)
        except asyncio.CancelledError:
            if not self._is_cancelled:
                raise  # pfdcm ends; the job goes on when it is back
            await self._end(JobState.CANCELLED)
        finally:
            if not self._stalled.done():
                self._stalled.set_result(None)

    async def _attempt_until_done(self, attempts: int, is_once: bool) -> None:
        if self.job.attempts:
            # Of a former life: the PACS may not have noticed yet that nobody waits for it, and still be sending.
            await self._sleep(self._site.settings.retrieve_settle_seconds)
        fruitless = 0
        while True:
            before = self._present_count()
            result = await self._attempt()
            state, verdict = judge_job(self.job.series, self._counts, present=self._present_count(), fault=result.fault)
            is_done = state is JobState.COMPLETE
            self.outcome = None if is_done else result.failure or _not_all(verdict)
            fruitless = 0 if self._present_count() > before else fruitless + 1
            if is_done or result.is_final or is_once or fruitless >= attempts:
                await self._end(state, verdict)
                return
            await self._note(state=JobState.QUEUED, verdict=f"{verdict} Another attempt follows.")
            if fruitless:
                self._tell_waiters()
            await self._pause(fruitless)

    async def _attempt(self) -> AttemptResult:
        request = self.job.request
        await self._wait_for_end_of_quiet_hours()
        async with self._site.lanes.turn(("job", request.pacs), self._jobs_at_once()):
            await self._note(state=JobState.RUNNING, attempts=self.job.attempts + 1, verdict="Under way.")
            try:
                result = await attempt(
                    self._site, request, begun=self._begin_series, only=self._open, doubtful=self._doubtful
                )
            except StorageFault as fault:
                result = AttemptResult(fault=fault.message, outcome=_not_all(fault.message))
        if result.study and request.study is None:
            self._set(request=replace(request, study=result.study))
        self._counts = result.counts
        self._present.update((evidence.series, len(evidence.present)) for evidence in result.series)
        self._put(map(judge_series, result.series))
        # What is complete is looked at again in the next life, but not in the next attempt.
        self._open = [one.series for one in self.job.series if one.state is not JobState.COMPLETE]
        return result

    def _jobs_at_once(self) -> int:
        try:
            return self._site.peer(self.job.request.pacs)[1].max_associations
        except Fault:
            return 1

    def _begin_series(self, several: Iterable[SeriesEvidence]) -> None:
        begun = []
        for evidence in several:
            self._present.setdefault(evidence.series, len(evidence.present))
            begun.append(replace(judge_series(evidence), state=JobState.RUNNING, reasons=()))
        self._put(begun)

    def _put(self, several: Iterable[SeriesProgress]) -> None:
        """One change of the job, however many series there are: a PACS may list thousands, and others wait."""
        by_series = {one.series: one for one in self.job.series}
        by_series.update((one.series, one) for one in several)
        self._set(series=tuple(by_series.values()))

    def _present_count(self) -> int:
        return sum(self._present.values())

    async def _end(self, state: JobState, verdict: str = "") -> None:
        if state is JobState.CANCELLED:
            with contextlib.suppress(StorageFault):
                await self._site.ledger.catch_up()
                await self.refresh(frozenset(one.series for one in self.job.series))
            _, verdict = judge_job(self.job.series, self._counts, present=self._present_count(), is_cancelled=True)
            cancelled = (
                replace(one, state=JobState.CANCELLED) if not one.state.is_final else one for one in self.job.series
            )
            self._set(series=tuple(cancelled))
        await self._note(state=state, verdict=verdict, ended=self._site.now().timestamp())
        _log.info("the retrieve %s from %s has ended: %s", self.job.id, self.job.request.pacs, state.value)
        self._tell_waiters()

    def _tell_waiters(self) -> None:
        """Those who wait for it to end, or to be held up."""
        self._stalled.set_result(None)
        self._stalled = asyncio.get_running_loop().create_future()
        if self.job.state.is_final:
            self._stalled.set_result(None)

    async def _pause(self, fruitless: int) -> None:
        first = self._site.settings.retrieve_backoff_seconds
        seconds = first * 2 ** min(fruitless - 1, 20) if fruitless else min(first, _MAX_PAUSE_BETWEEN_GAINS_SECONDS)
        await self._sleep(min(seconds, _MAX_PAUSE_SECONDS))

    async def _sleep(self, seconds: float) -> None:
        """Until the time is over, or somebody asks for the same again."""
        self._hurry.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), seconds)

    async def _wait_for_end_of_quiet_hours(self) -> None:
        while (remaining := self._quiet_seconds()) is not None:
            if self.job.verdict != _QUIET:
                await self._note(verdict=_QUIET)
            self.outcome = _not_all(_QUIET)
            self._tell_waiters()
            await self._sleep(min(remaining, _QUIET_POLL_SECONDS))

    def _quiet_seconds(self) -> float | None:
        try:
            quiet_hours = self._site.peer(self.job.request.pacs)[1].quiet_hours
        except Fault:
            return None
        remaining = quiet_hours.remaining(self._site.now()) if quiet_hours else None
        return remaining.total_seconds() if remaining else None

    async def _note(self, **changes: object) -> None:
        """Change the job, in the ledger too; a ledger that fails is no reason to stop."""
        self._set(**changes)
        try:
            await self._site.ledger.save_job(self.job)
        except StorageFault as fault:
            _log.error("the job %s could not be noted: %s", self.job.id, fault.cause or fault.message)

    def _set(self, **changes: object) -> None:
        self.job = replace(self.job, **changes)  # type: ignore[arg-type]  # mypy knows no fields by name
        self._changed(self.job)


def _not_all(verdict: str) -> MoveOutcome:
    """What a caller of the old dialect is told when the PACS said that it did all, and it is not so."""
    return MoveOutcome(error=f"W: {verdict}\n", returncode=RETURNCODE_FAILED)
