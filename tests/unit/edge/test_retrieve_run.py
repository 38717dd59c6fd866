"""A job's series: thousands of them are one change."""

import asyncio
from types import SimpleNamespace

import pytest

from pfdcmd.edge.retrieve import run
from pfdcmd.edge.retrieve.attempt import AttemptResult
from pfdcmd.edge.retrieve.site import Lanes
from pfdcmd.errors import ParameterFault
from pfdcmd.retrieve.evidence import SeriesEvidence
from pfdcmd.retrieve.job import Job, JobState, RetrieveRequest

SERIES = 3000


class NoLedger:
    async def save_job(self, job):
        pass


class Site(SimpleNamespace):
    def peer(self, name):
        raise ParameterFault(name)


@pytest.fixture
def changes(monkeypatch):
    """Those of a job whose PACS lists so many series, of one image each, and sends none of them."""

    async def attempt(_site, _request, *, begun, only, doubtful):
        evidence = [SeriesEvidence(f"1.{number}", counted=1) for number in range(SERIES)]
        begun(evidence)
        return AttemptResult("1", tuple(evidence), is_final=True)

    monkeypatch.setattr(run, "attempt", attempt)
    heard = []

    async def done():
        site = Site(ledger=NoLedger(), lanes=Lanes(), now=lambda: SimpleNamespace(timestamp=lambda: 2.0))
        job = Job("0" * 16, RetrieveRequest("main", "1"), JobState.QUEUED, 1.0, None, 0, (), "")
        await run.JobRun(job, site, heard.append).begin(attempts=1, is_once=True)

    asyncio.run(done())
    return heard


def test_a_study_of_thousands_of_series_is_told_of_in_a_few_changes(changes):
    assert len(changes) < 10
    assert {len(job.series) for job in changes} == {0, SERIES}


def test_series_begin_together_and_are_judged_together(changes):
    states = [{series.state for series in job.series} for job in changes if job.series]
    assert states[0] == {JobState.RUNNING}
    assert states[-1] == {JobState.FAILED}
    assert changes[-1].state is JobState.FAILED
