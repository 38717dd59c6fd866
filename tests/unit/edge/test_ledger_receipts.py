"""What receipts tell the ledger: images, troubles, destinations, and what nobody had asked for."""

import os
import subprocess
import sys

import pytest
from ledgersite import SERIES, STUDY, counts, in_ledger, job

from pfdcmd.retrieve.job import JobState


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
