"""How a series stands: told at once from what is noted, and never whole before it is known to be."""

import asyncio
import contextlib
import os
import threading
import time

import pytest
from ledgersite import SECONDS, SERIES, STUDY, in_ledger

from pfdcmd.edge.retrieve.standings import find_standing
from pfdcmd.errors import StorageFault


def test_the_status_says_what_is_missing_once_somebody_has_said_what_to_expect(site):
    async def work(ledger):
        site.file(1, 2)
        site.settle()
        before = await find_standing(ledger, site.maps, SERIES)
        await ledger.note_counts(STUDY, SERIES, counted=3, moved=None)
        return before, await find_standing(ledger, site.maps, SERIES)

    before, after = in_ledger(site, work)
    assert (before.is_complete, before.expected, before.missing) == (True, None, None)
    assert (after.is_complete, after.expected, after.missing) == (False, 3, 1)


def test_a_status_needs_no_ledger(site, monkeypatch):
    async def work(ledger):
        async def fail(*_):
            raise StorageFault

        site.file(1)
        site.settle()
        monkeypatch.setattr(ledger, "seen", fail)
        return await find_standing(ledger, site.maps, SERIES)

    assert in_ledger(site, work).is_complete


@contextlib.asynccontextmanager
async def busy_writer(ledger):
    """The ledger's writer does one thing until this is left."""
    began, may_end = threading.Event(), threading.Event()

    def hold(_):
        began.set()
        may_end.wait(SECONDS)

    task = asyncio.create_task(ledger._file.write(hold))
    try:
        assert await asyncio.to_thread(began.wait, SECONDS)
        yield
    finally:
        may_end.set()
        await task


async def settled(ledger, site):
    """How the series stands once it is settled, asked for as often as that takes."""
    async with asyncio.timeout(SECONDS):
        while not (standing := await find_standing(ledger, site.maps, SERIES)).is_settled:
            await asyncio.sleep(0.01)
        return standing


def test_the_status_of_what_has_not_changed_waits_for_no_writer(site):
    async def work(ledger):
        site.file(1, 2)
        site.settle()
        await find_standing(ledger, site.maps, SERIES)
        async with busy_writer(ledger), asyncio.timeout(SECONDS):
            return await find_standing(ledger, site.maps, SERIES)

    assert in_ledger(site, work).is_complete


def test_the_status_of_what_arrives_is_what_is_noted_and_waits_for_no_writer(site):
    async def work(ledger):
        site.file(1, 2)
        site.note(1, 2)
        await ledger.catch_up()
        (site.directory / "receiving.series").touch()
        site.file(3)
        site.note(3)
        async with busy_writer(ledger), asyncio.timeout(SECONDS):
            during = await find_standing(ledger, site.maps, SERIES)
        (site.directory / "receiving.series").rename(site.directory / "series.info")
        return during, await settled(ledger, site)

    during, after = in_ledger(site, work)
    assert (during.files, during.is_complete) == (2, False)
    assert (after.files, after.is_complete) == (3, True)


def test_a_large_directory_that_has_changed_is_not_whole_until_it_has_been_read_again(site, monkeypatch):
    monkeypatch.setattr("pfdcmd.edge.retrieve.standings._READ_AT_ONCE_FILES", 2)

    async def work(ledger):
        site.file(1, 2, 3)
        site.settle()
        await ledger.look(SERIES, [str(site.directory)])
        await ledger.note_counts(STUDY, SERIES, counted=3, moved=None)
        before = await find_standing(ledger, site.maps, SERIES)
        (site.directory / "00002-1.9.2.dcm").unlink()
        async with busy_writer(ledger), asyncio.timeout(SECONDS):
            during = await find_standing(ledger, site.maps, SERIES)
        return before, during, await settled(ledger, site)

    before, during, after = in_ledger(site, work)
    assert (before.is_complete, before.files, before.missing) == (True, 3, 0)
    assert (during.is_complete, during.files) == (False, 3)
    assert (after.is_complete, after.files, after.missing) == (False, 2, 1)


def test_a_large_directory_whose_time_is_ahead_of_the_clock_is_whole_once_it_has_been_read(site, monkeypatch):
    monkeypatch.setattr("pfdcmd.edge.retrieve.standings._READ_AT_ONCE_FILES", 2)

    async def work(ledger):
        site.file(1, 2, 3)
        (site.directory / "series.info").touch()
        tomorrow = time.time() + 86_400
        os.utime(site.directory, (tomorrow, tomorrow))
        await ledger.look(SERIES, [str(site.directory)])
        before = await find_standing(ledger, site.maps, SERIES)
        (site.directory / "00002-1.9.2.dcm").unlink()
        return before, await find_standing(ledger, site.maps, SERIES), await settled(ledger, site)

    before, during, after = in_ledger(site, work)
    assert (before.is_complete, before.files) == (True, 3)
    assert during.is_complete is False
    assert after.files == 2


def test_a_large_directory_that_images_arrive_in_is_left_to_the_receipts(site, monkeypatch):
    async def work(ledger):
        (site.directory / "receiving.series").touch()
        site.file(1, 2)
        await ledger.look(SERIES, [str(site.directory)])
        monkeypatch.setattr("pfdcmd.edge.retrieve.ledgerfacts.read_series_directory", None)
        monkeypatch.setattr("pfdcmd.edge.retrieve.ledgerfacts._LOOK_AGAIN_SECONDS", 0)
        site.file(3)
        site.note(3)
        await ledger.look(SERIES, [], seconds_a_file=SECONDS)
        return await ledger.present(SERIES)

    assert in_ledger(site, work) == {"1.9.1", "1.9.2", "1.9.3"}


def test_a_series_is_looked_at_once_however_many_ask(site, monkeypatch):
    looks = []

    async def work(ledger):
        look = ledger.look

        async def counted(*arguments, **options):
            looks.append(arguments)
            return await look(*arguments, **options)

        monkeypatch.setattr(ledger, "look", counted)
        async with busy_writer(ledger):
            for _ in range(10):
                ledger.look_soon(SERIES, str(site.directory))
                await asyncio.sleep(0)
        await ledger.catch_up()

    in_ledger(site, work)
    assert len(looks) == 1


def test_a_map_file_that_is_none_is_no_fault_of_the_ledger(site, caplog):
    async def work(ledger):
        assert await find_standing(ledger, site.maps, "1.10") is None
        (site.maps / "1.10.json").write_text("{}")
        with pytest.raises(StorageFault, match="is not one"):
            await find_standing(ledger, site.maps, "1.10")

    in_ledger(site, work)
    assert not caplog.records
