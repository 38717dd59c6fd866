"""Retrieves as jobs: the JobsPort of actions.context.

Each job is a task of the event loop (edge.retrieve.run); who goes next is decided by lanes (edge.retrieve.site). What a
job is, and how it stands, is in the ledger before its caller is told: a pfdcm that comes back goes on with what had not
ended.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pfdcmd.edge.retrieve.rebuilding import keep_complete
from pfdcmd.edge.retrieve.run import JobRun
from pfdcmd.edge.retrieve.search import find_series, find_study_of
from pfdcmd.edge.retrieve.series import Errand, SeriesErrand
from pfdcmd.edge.retrieve.site import JobSite
from pfdcmd.edge.retrieve.standings import find_standing
from pfdcmd.errors import JobNotFound, ParameterFault, StorageFault
from pfdcmd.names import parse_uid
from pfdcmd.pacs.outcome import MoveOutcome
from pfdcmd.retrieve.estimate import plan_json
from pfdcmd.retrieve.job import Job, JobState, RetrieveRequest
from pfdcmd.retrieve.jobjson import job_json
from pfdcmd.retrieve.standing import Standing

_MAX_JOBS_UNDER_WAY = 10_000
_MAX_SERIES = 10_000
_TEND_SECONDS = 0.5
_IDLE_SECONDS = 2.0
_FORGET_SECONDS = 30.0

_log = logging.getLogger(__name__)


class Jobs:
    """Implements actions.context.JobsPort; see there for what the methods do."""

    def __init__(self, site: JobSite) -> None:
        self._site = site
        self._runs: dict[str, JobRun] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._by_request: dict[object, str] = {}
        self._starting = asyncio.Lock()
        self._wake = asyncio.Event()
        self._is_lasting = False
        self._ledger_number = 0
        self._tending: list[asyncio.Task[None]] = []
        self._noting: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        """Go on with the jobs that had not ended, and look after all until `close`. Raises: StorageFault."""
        self._is_lasting = True
        await self._site.ledger.open()
        self._ledger_number = self._site.ledger.number
        for job in await self._site.ledger.open_jobs():
            self._run(replace(job, state=JobState.QUEUED))
        if self._runs:
            _log.info("%d retrieves go on", len(self._runs))
        self._tending = [asyncio.create_task(work) for work in (self._tend(), keep_complete(self._site))]
        for task in self._tending:
            task.add_done_callback(_tell_of_end)

    async def close(self) -> None:
        """Stop what runs, for another pfdcm to go on with, and close the ledger."""
        tasks = [*self._tending, *self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._noting, return_exceptions=True)
        await asyncio.to_thread(self._site.ledger.close)

    async def start(self, request: RetrieveRequest) -> Job:
        return (await self._start(request)).job

    async def retrieve(self, request: RetrieveRequest) -> tuple[Job, MoveOutcome]:
        run = await self._start(request)
        await run.stalled()
        outcome = run.outcome or MoveOutcome()
        return run.job, outcome.of_study(run.job.request.study)

    async def wait(self, job_id: str) -> Job:
        task = self._tasks.get(job_id)
        if task is not None:
            await asyncio.wait([task])
        return await self.get(job_id)

    async def get(self, job_id: str) -> Job:
        run = self._runs.get(job_id)
        job = run.job if run is not None else await self._site.ledger.job(job_id)
        if job is None:
            raise JobNotFound(parameter="job")
        return job

    async def list(self, *, limit: int) -> Sequence[Job]:
        noted = await self._site.ledger.jobs(limit)
        return [self._runs[job.id].job if job.id in self._runs else job for job in noted]

    async def cancel(self, job_id: str) -> Job:
        run = self._runs.get(job_id)
        if run is not None:
            await run.cancel()
            return run.job
        return await self.get(job_id)

    async def plan(self, request: RetrieveRequest) -> dict[str, Any]:
        site = self._site
        request = _checked(request)
        peer, policy = site.peer(request.pacs)
        study = request.study or await find_study_of(site.pacs, peer, request.series[0])
        found = await find_series(site.pacs, peer, study, request.series)
        errand = Errand(request.pacs, peer, policy, study, request.is_forced)
        evidence = [
            await SeriesErrand(site, errand, uid, found.series.get(uid)).learn()
            for uid in request.series or found.series
        ]
        return plan_json(request, study, evidence, await site.ledger.rates(request.pacs), policy)

    async def unsolicited(self, *, limit: int) -> Sequence[Mapping[str, Any]]:
        await self._site.ledger.catch_up()
        return await self._site.ledger.unsolicited(limit)

    async def standing(self, series_map_dir: str, series_uid: str) -> Standing | None:
        uid = parse_uid(series_uid, "series_uid")
        return await find_standing(self._site.ledger, Path(series_map_dir), uid, self._site.roots)

    async def _start(self, request: RetrieveRequest) -> JobRun:
        request = _checked(request)
        self._site.peer(request.pacs)
        async with self._starting:
            same = self._by_request.get(_identity(request))
            if same is not None:
                self._runs[same].hurry()
                return self._runs[same]
            if len(self._runs) >= _MAX_JOBS_UNDER_WAY:
                raise ParameterFault("Too many retrieves are under way.")
            job = Job(
                id=secrets.token_hex(8),
                request=request,
                state=JobState.QUEUED,
                created=self._site.now().timestamp(),
                ended=None,
                attempts=0,
                series=(),
                verdict="Waits for its turn.",
            )
            await self._site.ledger.save_job(job)
            return self._run(job)

    def _run(self, job: Job) -> JobRun:
        run = JobRun(job, self._site, self._changed)
        self._runs[job.id] = run
        self._wake.set()
        self._by_request[_identity(job.request)] = job.id
        task = run.begin(attempts=self._site.settings.retrieve_attempts, is_once=not self._is_lasting)
        self._tasks[job.id] = task
        task.add_done_callback(lambda done: self._ended(run, _identity(job.request), done))
        self._changed(job)
        return run

    def _ended(self, run: JobRun, identity: object, task: asyncio.Task[None]) -> None:
        del self._runs[run.job.id], self._tasks[run.job.id]
        if self._by_request.get(identity) == run.job.id:
            del self._by_request[identity]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("the retrieve %s failed", run.job.id, exc_info=error)
            noting = asyncio.create_task(self._note_failure(run.job))
            self._noting.add(noting)
            noting.add_done_callback(self._noting.discard)

    async def _note_failure(self, job: Job) -> None:
        failed = replace(
            job,
            state=JobState.FAILED,
            ended=self._site.now().timestamp(),
            verdict="Internal error; the log says more.",
        )
        with suppress(StorageFault):
            await self._site.ledger.save_job(failed)
        self._changed(failed)

    def _changed(self, job: Job) -> None:
        self._site.publish(f"jobs/{job.id}", job_json(job))

    async def _tend(self) -> None:
        """Take in what the listeners note, as often as somebody may be watching."""
        loop = asyncio.get_running_loop()
        forgotten = loop.time()
        while True:
            try:
                await self._note_again_in_new_ledger()
                news = await self._site.ledger.catch_up()
                for run in list(self._runs.values()):
                    await run.refresh(news)
                if loop.time() - forgotten > _FORGET_SECONDS:
                    forgotten = loop.time()
                    await self._site.ledger.forget_receipts()
            except StorageFault as fault:
                _log.error("%s", fault.cause or fault.message)
                await asyncio.sleep(_FORGET_SECONDS)
            if not self._runs:
                self._wake.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), _IDLE_SECONDS)
            await asyncio.sleep(_TEND_SECONDS)

    async def _note_again_in_new_ledger(self) -> None:
        """What is under way, when the ledger has been lost meanwhile. Raises: StorageFault."""
        number = self._site.ledger.number
        if number == self._ledger_number:
            return
        for run in list(self._runs.values()):
            await self._site.ledger.save_job(run.job)
        self._ledger_number = number


def _checked(request: RetrieveRequest) -> RetrieveRequest:
    """The request with its UIDs found to be some, each series once. Raises: ParameterFault."""
    study = parse_uid(request.study, "study") if request.study is not None else None
    series = tuple(dict.fromkeys(parse_uid(uid, "series") for uid in request.series))
    if study is None and len(series) != 1:
        raise ParameterFault("Without its study, exactly one series can be retrieved.", parameter="study")
    if len(series) > _MAX_SERIES:
        raise ParameterFault(f"At most {_MAX_SERIES} series can be retrieved at once.", parameter="series")
    return replace(request, study=study, series=series)


def _identity(request: RetrieveRequest) -> object:
    """What makes two requests the same."""
    return request.pacs, request.study, frozenset(request.series), request.is_forced


def _tell_of_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("the ledger is not looked after any more", exc_info=error)
