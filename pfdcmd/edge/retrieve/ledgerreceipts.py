"""Takes receipts into the ledger, within an open transaction (see ledgerschema).

A sender is not slowed down by this only as long as an image costs little: what many images of a batch have in common is
asked for once, and what they add to is written when all of them have been read.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass

from pfdcmd.edge.retrieve.ledgerfacts import directory_id, note_destination, series_id
from pfdcmd.retrieve.receipt import Receipt

_MAX_TROUBLES = 100_000
_MAX_UNSOLICITED = 100_000
# A receipt may be read after its job has ended, and images may follow the PACS's last word.
_AFTERWARDS_SECONDS = 60.0


@dataclass
class _Unsolicited:
    first: Receipt
    last: Receipt
    images: int = 0


class ReceiptBatch:
    """Receipts that are noted in one transaction: `add` for each, then `end`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._destinations: set[str] = set()
        self._series: dict[tuple[str, str], int] = {}
        self._directories: dict[str, int] = {}
        self._filed: Counter[int] = Counter()
        self._with_troubles: dict[str, bool] = {}
        self._last_trouble: Receipt | None = None
        self._windows: dict[tuple[str, str], list[tuple[float, float | None]]] = {}
        self._unsolicited: dict[str, _Unsolicited] = {}

    def add(self, receipt: Receipt) -> None:
        """Note one event of a listener."""
        if receipt.called and receipt.called not in self._destinations:
            note_destination(self._connection, receipt.called)
            self._destinations.add(receipt.called)
        if not receipt.is_on_disk:
            self._add_trouble(receipt)
            return
        directory = self._directory_of(receipt)
        noted = self._connection.execute(
            "INSERT INTO instance (series, uid, directory, size_bytes) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET directory = excluded.directory, size_bytes = excluded.size_bytes"
            " WHERE directory = 0",
            (self._series_of(receipt), receipt.instance, directory, receipt.size_bytes),
        )
        if noted.rowcount:
            self._filed[directory] += 1
        self._forget_trouble(receipt)
        if receipt.event == "filed" and not self._was_asked_for(receipt):
            one = self._unsolicited.setdefault(receipt.series, _Unsolicited(receipt, receipt))
            one.last = receipt
            one.images += 1

    def end(self) -> None:
        """Write what the receipts together add to."""
        # What was seen of a directory holds no more: it may have been taken away before, and be again since.
        self._connection.executemany(
            "UPDATE directory SET files = files + ?, mtime_ns = 0 WHERE id = ?",
            [(files, directory) for directory, files in self._filed.items()],
        )
        if self._last_trouble is not None:
            self._connection.execute(
                "DELETE FROM trouble WHERE (SELECT count(*) FROM trouble) > ? AND time < ?",
                (_MAX_TROUBLES, self._last_trouble.time - _AFTERWARDS_SECONDS),
            )
        if self._unsolicited:
            self._note_unsolicited()

    def _series_of(self, receipt: Receipt) -> int:
        key = (receipt.series, receipt.study)
        if key not in self._series:
            self._series[key] = series_id(self._connection, *key)
        return self._series[key]

    def _directory_of(self, receipt: Receipt) -> int:
        path = receipt.directory
        if path not in self._directories:
            self._directories[path] = directory_id(self._connection, path, self._series_of(receipt))
        return self._directories[path]

    def _add_trouble(self, receipt: Receipt) -> None:
        text = receipt.reason or f"status 0x{receipt.status & 0xFFFF:04X}"
        reason = f"{receipt.event}, {text.rstrip('.')}"
        self._connection.execute(
            "INSERT OR REPLACE INTO trouble VALUES (?, ?, ?, ?)",
            (receipt.series, receipt.instance, reason, receipt.time),
        )
        self._with_troubles[receipt.series] = True
        self._last_trouble = receipt

    def _forget_trouble(self, receipt: Receipt) -> None:
        series = receipt.series
        if series not in self._with_troubles:
            found = self._connection.execute("SELECT 1 FROM trouble WHERE series = ? LIMIT 1", (series,)).fetchone()
            self._with_troubles[series] = found is not None
        if self._with_troubles[series]:
            self._connection.execute(
                "DELETE FROM trouble WHERE series = ? AND instance = ?", (series, receipt.instance)
            )

    def _was_asked_for(self, receipt: Receipt) -> bool:
        """Whether a job that was under way asked for the series, or, of an image sent for a C-MOVE, for the study."""
        by_series = (
            "SELECT created, ended FROM job_series JOIN job ON job.id = job_series.job WHERE job_series.series = ?"
        )
        if self._is_within(receipt, by_series, receipt.series):
            return True
        is_moved = bool(receipt.originator and receipt.study)
        return is_moved and self._is_within(receipt, "SELECT created, ended FROM job WHERE study = ?", receipt.study)

    def _is_within(self, receipt: Receipt, query: str, uid: str) -> bool:
        """Whether the receipt is of the time of one of these jobs."""
        key = (query, uid)
        if key not in self._windows:
            self._windows[key] = self._connection.execute(query, (uid,)).fetchall()
        before = receipt.time - _AFTERWARDS_SECONDS
        return any(
            created <= receipt.time and (ended is None or ended >= before) for created, ended in self._windows[key]
        )

    def _note_unsolicited(self) -> None:
        self._connection.executemany(
            "INSERT INTO unsolicited VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " images = images + excluded.images, last = excluded.last, calling = excluded.calling",
            [
                (uid, one.first.study, one.images, one.first.time, one.last.time, one.last.calling, one.first.directory)
                for uid, one in self._unsolicited.items()
            ],
        )
        count = self._connection.execute("SELECT count(*) FROM unsolicited").fetchone()[0]
        if count > _MAX_UNSOLICITED:
            self._connection.execute(
                "DELETE FROM unsolicited WHERE series IN (SELECT series FROM unsolicited ORDER BY last LIMIT ?)",
                (count - _MAX_UNSOLICITED,),
            )
