"""A state directory and one series beside it: where a ledger is fed, and asked."""

import asyncio
import contextlib
import json
import os
import time
from pathlib import Path

from pfdcmd.edge.retrieve.ledger import SqliteLedger
from pfdcmd.edge.retrieve.seriesdirectory import read_series_directory
from pfdcmd.retrieve.job import Job, JobState, RetrieveRequest, SeriesProgress

SERIES, STUDY = "1.9", "1"
SECONDS = 20


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


def in_ledger(site, work):
    async def run():
        async with site.ledger() as ledger:
            return await work(ledger)

    return asyncio.run(run())


def counts(record):
    return record.expected, record.missing, record.present


def job(number=0, state=JobState.RUNNING, series=(SERIES,), study=STUDY):
    progress = tuple(SeriesProgress(uid, state, 3, 2, ("1.9.3",), ("why",), 20) for uid in series)
    now = time.time()
    ended = now if state.is_final else None
    return Job(f"job{number}", RetrieveRequest("main", study, series), state, now - 1, ended, 2, progress, "so far")
