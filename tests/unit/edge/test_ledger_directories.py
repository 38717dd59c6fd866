"""What series directories tell the ledger: files without receipts, and receipts without files."""

import os
from pathlib import Path

import pytest
from ledgersite import SERIES, STUDY, counts, in_ledger

from pfdcmd.edge.retrieve.standings import find_standing


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
