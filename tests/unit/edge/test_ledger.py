"""The ledger's file: jobs and rates come back, and it is made again when it is damaged or lost."""

import asyncio
import contextlib
import time

import pytest
from ledgersite import SECONDS, SERIES, STUDY, counts, in_ledger, job

from pfdcmd.edge.retrieve.ledger import FILE_NAME
from pfdcmd.errors import StorageFault
from pfdcmd.retrieve.estimate import Rates
from pfdcmd.retrieve.job import Job, JobState, RetrieveRequest


def a_job(job_id, pacs="main"):
    request = RetrieveRequest(pacs, STUDY)
    return Job(job_id, request, JobState.QUEUED, created=1.0, ended=None, attempts=0, series=(), verdict="")


@pytest.mark.parametrize("error", [None, KeyError("work"), RuntimeError("work")])
def test_a_write_that_fails_is_its_callers_fault_alone(site, error):
    def fail(db):
        if error:
            raise error

    async def work(ledger):
        wrong = a_job("0" * 16, pacs="\ud800") if error is None else None
        failing = ledger.save_job(wrong) if wrong else ledger._file.write(fail)
        with pytest.raises(type(error) if error else StorageFault):
            await asyncio.wait_for(failing, SECONDS)
        await asyncio.wait_for(ledger.save_job(a_job("1" * 16)), SECONDS)
        return [job.id for job in await ledger.jobs(5)]

    assert in_ledger(site, work) == ["1" * 16]


def test_a_damaged_ledger_is_set_aside_and_made_again_from_the_files(site):
    async def work(ledger):
        await ledger.open()
        await ledger.look(SERIES, [str(site.directory)])
        return counts(await ledger.record(SERIES))

    site.file(1, 2)
    (site.state / FILE_NAME).write_bytes(b"not a data base at all" * 100)
    assert in_ledger(site, work) == (None, 0, 2)
    assert [file for file in site.state.iterdir() if ".damaged-" in file.name]


@pytest.mark.parametrize("is_damaged", [False, True])
def test_a_ledger_lost_while_it_is_used_is_made_again(site, is_damaged):
    async def work(ledger):
        await ledger.save_job(a_job("1" * 16))
        await ledger.jobs(5)
        for file in site.state.glob(f"{FILE_NAME}*"):
            if is_damaged:
                file.write_bytes(b"x" * file.stat().st_size)
            else:
                file.unlink()
        deadline = time.monotonic() + SECONDS
        while ledger.number == 1 and time.monotonic() < deadline:
            with contextlib.suppress(StorageFault):
                await ledger.jobs(5)
        assert ledger.number == 2
        site.file(1)
        await ledger.look(SERIES, [str(site.directory)])
        assert await ledger.present(SERIES) == {"1.9.1"}
        await ledger.save_job(a_job("2" * 16))
        return [job.id for job in await ledger.jobs(5)]

    assert in_ledger(site, work) == ["2" * 16]
    assert in_ledger(site, lambda ledger: ledger.job("2" * 16)).id == "2" * 16
    assert len(list(site.state.glob(f"{FILE_NAME}.damaged-*"))) == (3 if is_damaged else 0)


def test_jobs_come_back_as_they_were_noted(site):
    async def work(ledger):
        first, second = job(1), job(2, JobState.PARTIAL)
        await ledger.save_job(first)
        await ledger.save_job(second)
        assert await ledger.job("job1") == first
        assert await ledger.job("none") is None
        assert await ledger.jobs(10) == [second, first]
        assert await ledger.jobs(1) == [second]
        assert await ledger.open_jobs() == [first]
        return (await ledger.seen(SERIES, lambda noted_of: noted_of(str(site.directory)))).job

    assert in_ledger(site, work) == ("job2", True)


def test_rates_add_up(site):
    async def work(ledger):
        await ledger.note_rate("main", Rates(10, 1000, 2.0))
        await ledger.note_rate("main", Rates(5, 500, 1.0))
        return await ledger.rates("main"), await ledger.rates("other")

    assert in_ledger(site, work) == (Rates(15, 1500, 3.0), Rates())
