"""A directory of map files counts as read only when what it names is in the ledger, whatever failed meanwhile."""

import asyncio
import contextlib
import json
import os
import time
from types import SimpleNamespace

import pytest

from pfdcmd.edge.retrieve import rebuilding
from pfdcmd.edge.retrieve.ledger import SqliteLedger
from pfdcmd.edge.roots import Roots
from pfdcmd.errors import StorageFault

SECONDS = 30
SERIES = tuple(f"1.9.{number}" for number in range(1, 7))


class Faulty:
    """Fails for so many calls after the first ones."""

    def __init__(self, work, good, bad, error):
        self._work = work
        self._good = good
        self._bad = bad
        self._error = error

    def __call__(self, *arguments):
        self._good -= 1
        if self._good < 0 and self._bad:
            self._bad -= 1
            raise self._error
        return self._work(*arguments)


@pytest.fixture
def maps(tmp_path, monkeypatch):
    monkeypatch.setattr(rebuilding, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(rebuilding, "_PAUSE_AFTER_FAULT_SECONDS", 0)
    maps = tmp_path / "maps"
    maps.mkdir()
    for uid in SERIES:
        directory = tmp_path / "data" / uid
        directory.mkdir(parents=True)
        (directory / f"1-{uid}.1.dcm").write_bytes(b"x")
        (maps / f"{uid}.json").write_text(json.dumps({uid: str(directory)}))
    return maps


def known_once_read(directories, ledger):
    """The series of which the ledger knows an image, once it says that the last directory has been read."""

    async def run():
        site = SimpleNamespace(ledger=ledger, roots=Roots(), series_map_directories=lambda: directories)
        keeping = asyncio.create_task(rebuilding.keep_complete(site))
        deadline = time.monotonic() + SECONDS
        while str(directories[-1]) not in await ledger.map_directories():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        known = {uid for uid in SERIES if await ledger.present(uid)}
        await asyncio.to_thread(ledger.close)
        return known

    return asyncio.run(run())


def test_a_ledger_that_fails_for_a_while_knows_every_series_in_the_end(maps, tmp_path):
    ledger = SqliteLedger(tmp_path)
    ledger.look = Faulty(ledger.look, 2, 3, StorageFault("It cannot be written.", cause="disk is full"))
    assert known_once_read([maps], ledger) == set(SERIES)


def test_a_directory_that_cannot_be_listed_for_a_while_is_read_when_it_can(maps, tmp_path, monkeypatch):
    monkeypatch.setattr("pfdcmd.edge.retrieve.seriesmap.os.scandir", Faulty(os.scandir, 0, 1, OSError("I/O error")))
    assert known_once_read([maps], SqliteLedger(tmp_path)) == set(SERIES)


def test_a_directory_that_can_never_be_listed_holds_up_no_other(maps, tmp_path, monkeypatch):
    scandir, broken = os.scandir, tmp_path / "broken"
    broken.mkdir()

    def scan(path):
        if path == broken:
            raise OSError("I/O error")
        return scandir(path)

    monkeypatch.setattr("pfdcmd.edge.retrieve.seriesmap.os.scandir", scan)
    assert known_once_read([broken, maps], SqliteLedger(tmp_path)) == set(SERIES)
