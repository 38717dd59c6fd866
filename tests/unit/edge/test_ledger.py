"""The ledger: fed by receipts and by directories, made again when it is damaged, and true in its counts."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pfdcmd.edge.retrieve.ledger import FILE_NAME, SqliteLedger
from pfdcmd.edge.retrieve.seriesdirectory import read_series_directory
from pfdcmd.edge.retrieve.standings import find_standing
from pfdcmd.errors import StorageFault
from pfdcmd.retrieve.estimate import Rates
from pfdcmd.retrieve.job import Job, JobState, RetrieveRequest, SeriesProgress

SERIES, STUDY = "1.9", "1"
SECONDS = 20


def a_job(job_id, pacs="main"):
    request = RetrieveRequest(pacs, STUDY)
    return Job(job_id, request, JobState.QUEUED, created=1.0, ended=None, attempts=0, series=(), verdict="")


class Site:
    """A state directory with receipts, and one series directory with its map file."""

    def __init__(self, root: Path) -> None:
        self.state = root / "state"
        self.receipts = self.state / "receipts"
        self.receipts.mkdir(parents=True)
        self.directory = root / "data" / "series"
        self.directory.mkdir(parents=True)
        self.maps = root / "series_map"
        self.maps.mkdir()
        (self.maps / f"{SERIES}.json").write_text(json.dumps({SERIES: str(self.directory)}))

    def file(self, *numbers: int) -> None:
        for number in numbers:
            (self.directory / f"{number:05}-1.9.{number}.dcm").write_bytes(b"x" * 10)

    def note(self, *numbers: int, name: str = "", **changes: object) -> Path:
        """Write receipts as a worker does that is this process."""
        path = self.receipts / (name or f"main-1-{os.getpid()}-1.jsonl")
        with path.open("a") as stream:
            for number in numbers:
                line = {
                    **{"t": time.time(), "event": "filed", "study": STUDY, "series": SERIES, "bytes": 10},
                    **{"instance": f"1.9.{number}", "data_dir": str(self.directory.parent), "dir": "series"},
                    **{"calling": "PACS", "called": "US", "originator": "", "move_id": None, **changes},
                }
                stream.write(json.dumps(line) + "\n")
        return path

    def settle(self) -> None:
        """The series is closed, and the clock of the file system has gone on since."""
        (self.directory / "series.info").touch()
        deadline = time.monotonic() + SECONDS
        while not read_series_directory(str(self.directory), frozenset()).mtime_ns:
            assert time.monotonic() < deadline

    @contextlib.asynccontextmanager
    async def ledger(self):
        ledger = SqliteLedger(self.state)
        try:
            yield ledger
        finally:
            ledger.close()


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def in_ledger(site, work):
    async def run():
        async with site.ledger() as ledger:
            return await work(ledger)

    return asyncio.run(run())


def counts(record):
    return record.expected, record.missing, record.present


def test_receipts_count_each_instance_once_however_often_it_came(site):
    async def work(ledger):
        site.file(1, 2)
        site.note(1, 2, 1)
        site.note(2, event="same")
        assert await ledger.catch_up() == {SERIES}
        assert await ledger.catch_up() == frozenset()
        await ledger.note_listed(STUDY, SERIES, ["1.9.1", "1.9.2", "1.9.3"])
        noted = await ledger.seen(SERIES, lambda noted_of: noted_of(str(site.directory)))
        return noted.files, await ledger.record(SERIES), await ledger.present(SERIES)

    files, record, present = in_ledger(site, work)
    assert (files, *counts(record)) == (2, 3, 1, 2)
    assert (record.study, record.size_bytes) == (STUDY, 20)
    assert present == {"1.9.1", "1.9.2"}


def test_a_receipt_that_is_being_written_is_read_when_it_is_whole(site):
    async def work(ledger):
        path = site.note(1)
        whole = path.read_bytes()
        path.write_bytes(whole[:-20])
        assert await ledger.catch_up() == frozenset()
        path.write_bytes(whole)
        return await ledger.catch_up()

    assert in_ledger(site, work) == {SERIES}


def test_what_is_read_is_remembered_by_the_next_one(site):
    async def once(ledger):
        return await ledger.catch_up()

    site.note(1)
    assert in_ledger(site, once) == {SERIES}
    assert in_ledger(site, once) == frozenset()


def test_lines_that_are_no_receipts_hold_up_nothing(site):
    async def work(ledger):
        path = site.note()
        path.write_bytes(b'\xff\xff\n{}\n{"event": []}\n' + b"x" * 3_000_000 + b"\n")
        site.note(1)
        await ledger.catch_up()
        return await ledger.present(SERIES)

    assert in_ledger(site, work) == {"1.9.1"}


@pytest.mark.parametrize("field", ["calling", "originator", "reason", "dir", "data_dir", "study", "event"])
def test_a_receipt_that_utf8_cannot_say_holds_up_no_other(site, field):
    async def work(ledger):
        site.note(1, **{field: "/\ud800"})
        site.note(2)
        await ledger.catch_up()
        return await ledger.present(SERIES)

    assert "1.9.2" in in_ledger(site, work)


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


def test_files_deleted_by_hand_are_missing_and_files_without_receipts_are_here(site):
    async def work(ledger):
        site.file(1, 2, 3)
        site.note(1, 2)
        await ledger.note_listed(STUDY, SERIES, [f"1.9.{number}" for number in range(1, 5)])
        await ledger.look(SERIES, [str(site.directory)])
        before = counts(await ledger.record(SERIES))
        (site.directory / "00002-1.9.2.dcm").unlink()
        (places,) = await ledger.look(SERIES, [])
        return before, counts(await ledger.record(SERIES)), places.files

    assert in_ledger(site, work) == ((4, 1, 3), (4, 2, 2), 2)


def test_names_of_images_that_are_none_are_missing(site):
    async def work(ledger):
        site.file(1)
        (site.directory / "00002-1.9.2.dcm").mkdir()
        (site.directory / "00003-1.9.3.dcm").symlink_to(site.directory / "nothing")
        (site.directory / "00004-1.9.4.dcm").touch()
        os.mkfifo(site.directory / "00005-1.9.5.dcm")
        await ledger.look(SERIES, [str(site.directory)])
        return await ledger.present(SERIES)

    assert in_ledger(site, work) == {"1.9.1"}


def test_a_directory_put_back_with_its_old_times_is_read_again(site):
    async def work(ledger):
        site.file(1, 2)
        site.settle()
        await ledger.look(SERIES, [str(site.directory)])
        before = site.directory.stat()
        (site.directory / "00002-1.9.2.dcm").unlink()
        os.utime(site.directory, ns=(before.st_atime_ns, before.st_mtime_ns))
        await ledger.look(SERIES, [str(site.directory)])
        return await ledger.present(SERIES)

    assert in_ledger(site, work) == {"1.9.1"}


def test_receipts_that_have_been_cut_are_read_from_their_beginning(site):
    async def work(ledger):
        path = site.note(1, 2)
        await ledger.catch_up()
        path.write_bytes(b"")
        site.note(3)
        assert await ledger.catch_up() == {SERIES}
        assert await ledger.catch_up() == frozenset()
        return await ledger.present(SERIES)

    assert in_ledger(site, work) == {"1.9.1", "1.9.2", "1.9.3"}


def test_a_directory_taken_away_leaves_nothing(site):
    async def work(ledger):
        site.file(1)
        site.note(1)
        await ledger.look(SERIES, [str(site.directory)])
        (site.directory / "00001-1.9.1.dcm").unlink()
        site.directory.rmdir()
        await ledger.look(SERIES, [])
        return await ledger.present(SERIES)

    assert in_ledger(site, work) == frozenset()


@pytest.mark.parametrize("first", [0, 1])
def test_an_image_gone_from_one_directory_is_here_as_long_as_another_has_it(site, first):
    async def work(ledger):
        second = site.directory.with_name("second")
        second.mkdir()
        for directory in (site.directory, second):
            (directory / "00001-1.9.1.dcm").write_bytes(b"x")
        site.settle()
        paths = [str(site.directory), str(second)]
        await ledger.look(SERIES, [paths[first]])
        await ledger.look(SERIES, [paths[1 - first]])
        (Path(paths[first]) / "00001-1.9.1.dcm").unlink()
        await ledger.look(SERIES, [])
        before = await ledger.present(SERIES)
        (Path(paths[1 - first]) / "00001-1.9.1.dcm").unlink()
        await ledger.look(SERIES, [])
        return before, await ledger.present(SERIES)

    assert in_ledger(site, work) == ({"1.9.1"}, frozenset())


def test_a_directory_taken_away_twice_is_gone_although_images_came_between(site):
    async def work(ledger):
        for _ in range(2):
            site.directory.mkdir(exist_ok=True)
            site.file(1)
            site.note(1)
            await ledger.catch_up()
            (site.directory / "00001-1.9.1.dcm").unlink()
            site.directory.rmdir()
            await ledger.look(SERIES, [])
        return await ledger.present(SERIES)

    assert in_ledger(site, work) == frozenset()


def test_a_directory_that_has_not_changed_is_not_read_again(site, monkeypatch):
    async def work(ledger):
        site.file(1, 2)
        site.settle()
        await ledger.look(SERIES, [str(site.directory)])
        monkeypatch.setattr("pfdcmd.edge.retrieve.ledgerfacts.read_series_directory", None)
        return await find_standing(ledger, site.maps, SERIES)

    standing = in_ledger(site, work)
    assert (standing.files, standing.is_complete) == (2, True)


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


def test_receipts_of_workers_that_are_gone_are_forgotten_once_read(site):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    own = os.getpid()

    async def work(ledger):
        left = site.note(1, name=f"main-1-{gone.pid}-5.jsonl")
        succeeded = site.note(2, name=f"main-1-{own}-5.jsonl")
        current = site.note(3, name=f"main-1-{own}-6.jsonl")
        await ledger.forget_receipts()
        return await ledger.present(SERIES), [path.exists() for path in (left, succeeded, current)]

    present, exist = in_ledger(site, work)
    assert present == {"1.9.1", "1.9.2", "1.9.3"}
    assert exist == [False, False, True]


def job(number=0, state=JobState.RUNNING, series=(SERIES,), study=STUDY):
    progress = tuple(SeriesProgress(uid, state, 3, 2, ("1.9.3",), ("why",), 20) for uid in series)
    now = time.time()
    ended = now if state.is_final else None
    return Job(f"job{number}", RetrieveRequest("main", study, series), state, now - 1, ended, 2, progress, "so far")


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


def test_what_no_job_asked_for_is_listed(site):
    async def work(ledger):
        await ledger.save_job(job(1))
        site.note(1, 2)
        site.note(3, series="1.8", originator="US")
        site.note(4, series="1.7", study="5")
        site.note(5, series="1.7", study="5")
        await ledger.catch_up()
        return await ledger.unsolicited(10)

    (found,) = in_ledger(site, work)
    assert (found["series"], found["study"], found["images"], found["calling"]) == ("1.7", "5", 2, "PACS")


def test_what_no_job_asked_for_is_forgotten_when_it_becomes_too_much(site, monkeypatch):
    monkeypatch.setattr("pfdcmd.edge.retrieve.ledgerreceipts._MAX_UNSOLICITED", 2)

    async def work(ledger):
        for number in range(1, 5):
            site.note(number, series=f"1.9.{number}", t=float(number))
            await ledger.catch_up()
        site.note(3, series="1.9.3", t=5.0)
        await ledger.catch_up()
        return [(row["series"], row["images"], row["last"]) for row in await ledger.unsolicited(10)]

    assert in_ledger(site, work) == [("1.9.3", 2, 5.0), ("1.9.4", 1, 4.0)]


def test_troubles_are_forgotten_when_they_become_too_many(site, monkeypatch):
    monkeypatch.setattr("pfdcmd.edge.retrieve.ledgerreceipts._MAX_TROUBLES", 1)

    async def work(ledger):
        for seconds in (100.0, 200.0, 210.0):
            site.note(int(seconds), event="refused", reason="why", dir="", t=seconds)
        await ledger.catch_up()
        return await ledger.troubles(SERIES)

    assert set(in_ledger(site, work)) == {"1.9.200", "1.9.210"}


def test_an_image_sent_after_its_job_has_ended_was_not_asked_for(site):
    async def work(ledger):
        done = job(1, JobState.COMPLETE)
        await ledger.save_job(done)
        site.note(1, t=done.ended + 1)
        site.note(2, t=done.created - 1)
        site.note(3, t=done.ended + 1_000)
        await ledger.catch_up()
        return await ledger.unsolicited(10)

    (found,) = in_ledger(site, work)
    assert (found["series"], found["images"]) == (SERIES, 2)


def test_troubles_are_known_until_the_image_comes(site):
    async def work(ledger):
        site.note(1, event="quarantined", reason="no SOPClassUID", dir="")
        await ledger.catch_up()
        before = await ledger.troubles(SERIES)
        site.note(1)
        await ledger.catch_up()
        return before, await ledger.troubles(SERIES)

    assert in_ledger(site, work) == ({"1.9.1": "quarantined, no SOPClassUID"}, {})


def test_a_destination_is_known_once_images_have_come_by_it(site):
    async def work(ledger):
        unknown = await ledger.knows_destination("US")
        site.note(1)
        await ledger.catch_up()
        return unknown, await ledger.knows_destination("US"), await ledger.knows_destination("NOBODY")

    # As long as nothing is known at all, it is taken to be us.
    assert in_ledger(site, work) == (True, True, False)


def test_rates_add_up(site):
    async def work(ledger):
        await ledger.note_rate("main", Rates(10, 1000, 2.0))
        await ledger.note_rate("main", Rates(5, 500, 1.0))
        return await ledger.rates("main"), await ledger.rates("other")

    assert in_ledger(site, work) == (Rates(15, 1500, 3.0), Rates())
