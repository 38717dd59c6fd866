"""Reads the receipts that the listeners' workers append, and forgets the files that nobody appends to any more.

How far a file has been read is noted in the transaction of what it said: nothing is lost or counted twice, whoever is
killed when.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pfdcmd.retrieve.receipt import MAX_LINE_BYTES, Receipt, parse_receipt

DIRECTORY = "receipts"
_NAME = re.compile(r".+-\d+-(?P<pid>\d+)-(?P<began>\d+)\.jsonl", re.ASCII)
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class _File:
    path: Path
    name: str
    worker: str
    began: int
    pid: int


def has_news(connection: sqlite3.Connection, directory: Path) -> bool:
    """Whether any file is longer than what has been read of it, or has been cut, without reading any."""
    read = dict(connection.execute("SELECT name, offset FROM receipts_read"))
    return any(_size(file.path) != read.get(file.name, 0) for file in _files(directory))


def read_receipts(connection: sqlite3.Connection, directory: Path, add: Callable[[Receipt], None]) -> frozenset[str]:
    """Read what is new, within the open transaction. Returns: the series that it is of. Raises: OSError."""
    series: set[str] = set()
    for file in _files(directory):
        row = connection.execute("SELECT offset FROM receipts_read WHERE name = ?", (file.name,)).fetchone()
        offset = row[0] if row else 0
        # One that has been cut is read from its beginning: what is noted twice is counted once.
        begin = offset if _size(file.path) >= offset else 0
        reached = _read_file(file.path, begin, add, series)
        if reached != offset:
            connection.execute("INSERT OR REPLACE INTO receipts_read VALUES (?, ?)", (file.name, reached))
    return frozenset(series - {""})


def finished_files(directory: Path) -> list[Path]:
    """The files that nobody will append to: their worker is gone, or writes a later one.

    To be called before reading; they can be removed once what was read is committed.
    """
    files = _files(directory)
    latest: dict[str, int] = {}
    for file in files:
        latest[file.worker] = max(latest.get(file.worker, 0), file.began)
    return [file.path for file in files if file.began < latest[file.worker] or not _is_alive(file.pid)]


def forget_files(connection: sqlite3.Connection, paths: list[Path]) -> None:
    """Remove files that have been read to their end."""
    for path in paths:
        row = connection.execute("SELECT offset FROM receipts_read WHERE name = ?", (path.name,)).fetchone()
        if _size(path) <= (row[0] if row else 0):
            with suppress(OSError):
                path.unlink(missing_ok=True)
    names = {file.name for file in _files(paths[0].parent)} if paths else set()
    for (name,) in connection.execute("SELECT name FROM receipts_read").fetchall() if paths else ():
        if name not in names:
            connection.execute("DELETE FROM receipts_read WHERE name = ?", (name,))


def _files(directory: Path) -> list[_File]:
    """In the order in which they were begun."""
    found = []
    with suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            match = _NAME.fullmatch(entry.name)
            if match and entry.is_file(follow_symlinks=False):
                worker = entry.name.rpartition("-")[0]
                found.append(_File(Path(entry.path), entry.name, worker, int(match["began"]), int(match["pid"])))
    return sorted(found, key=lambda file: file.began)


def _read_file(path: Path, offset: int, add: Callable[[Receipt], None], series: set[str]) -> int:
    """Read whole lines from the offset on. Returns: the offset after the last of them."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return offset
    with open(descriptor, "rb") as stream:
        stream.seek(offset)
        while block := stream.read(_READ_BYTES):
            end = block.rfind(b"\n") + 1
            if not end and len(block) <= MAX_LINE_BYTES:
                break  # a line that is being written
            for line in block[:end].splitlines():
                receipt = parse_receipt(line) if len(line) <= MAX_LINE_BYTES else None
                if receipt is not None:
                    add(receipt)
                    series.add(receipt.series)
            # A line beyond all bounds is no receipt: what there is of it is passed over.
            offset += end or len(block)
            stream.seek(offset)
    return offset


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
