"""The ledger's file: one thread writes, many calls in one transaction; others read beside it (SQLite's WAL mode).

A write is on disk, in the sense of fsync, when its call says that it must be; the rest can be had again from the
receipts and the series directories.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pfdcmd.edge.retrieve.ledgerschema import prepare
from pfdcmd.errors import StorageFault

_READERS = 4
_MAX_WRITES_AT_ONCE = 200
# Another process, as one of --msg, may write too.
_BUSY_SECONDS = 20.0
_SUFFIXES = ("", "-wal", "-shm")
# Text that UTF-8 has no bytes for (a lone surrogate is JSON all the same), and numbers beyond 64 bits.
_UNSPEAKABLE = (ValueError, OverflowError)

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Write:
    work: Callable[[sqlite3.Connection], Any]
    result: Future[Any]
    is_durable: bool


class LedgerFile:
    """SQLite in a file, for the event loop. It is opened when first used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._readers = ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="ledger-read")
        self._writer: threading.Thread | None = None
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._opening = threading.Lock()
        self._is_open = False
        self.is_new = False

    async def open(self) -> None:
        """Open it, or make it; one that is damaged is set aside. Raises: StorageFault."""
        await self.write(lambda _: None)

    async def read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do the work with a connection of its own. Raises: StorageFault."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def write(self, work: Callable[[sqlite3.Connection], _T], *, is_durable: bool = False) -> _T:
        """Do the work in the writer's next transaction, which has ended when this returns. Raises: StorageFault."""
        if self._writer is None:
            self._writer = threading.Thread(target=self._write_all, name="ledger-write", daemon=True)
            self._writer.start()
        write = _Write(work, Future(), is_durable)
        self._writes.put(write)
        done: _T = await asyncio.wrap_future(write.result)
        return done

    def close(self) -> None:
        """Write what is waiting, and close."""
        if self._writer is not None:
            self._writes.put(None)
            self._writer.join()
            self._writer = None
        self._readers.shutdown(wait=True)
        for connection in self._connections:
            connection.close()
        self._connections.clear()

    def _read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        with _as_faults():
            if not hasattr(self._local, "connection"):
                self._open()
                self._local.connection = self._connect()
            return work(self._local.connection)

    def _write_all(self) -> None:
        """The writer thread."""
        connection: sqlite3.Connection | None = None
        while (first := self._writes.get()) is not None:
            batch = [first]
            is_last = False
            with contextlib.suppress(queue.Empty):
                while len(batch) < _MAX_WRITES_AT_ONCE:
                    further = self._writes.get_nowait()
                    if further is None:
                        is_last = True
                        break
                    batch.append(further)
            batch = [write for write in batch if write.result.set_running_or_notify_cancel()]
            try:
                with _as_faults():
                    if connection is None:
                        self._open()
                        connection = self._connect()
                    _commit(connection, batch)
            except BaseException as error:  # whatever it is, it is for those who wait for it: this thread serves all
                for write in batch:
                    if not write.result.done():
                        write.result.set_exception(error)
            if is_last:
                return

    def _open(self) -> None:
        """Make the file ready, once, in whichever thread comes first. Raises: sqlite3.Error, OSError."""
        with self._opening:
            if self._is_open:
                return
            connection = self._connect()
            try:
                self.is_new = prepare(connection)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                connection.close()
                self._connections.remove(connection)
                self._set_aside(error)
                self.is_new = prepare(self._connect())
            self._is_open = True

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        self._connections.append(connection)
        with contextlib.suppress(sqlite3.DatabaseError):  # one that is damaged says so when it is made ready
            connection.execute("PRAGMA journal_mode = WAL")
        return connection

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        aside = f"{self._path}.damaged-{int(time.time())}"
        for suffix in _SUFFIXES:
            file = Path(f"{self._path}{suffix}")
            if file.exists():
                file.rename(f"{aside}{suffix}")
        _log.error(
            "the ledger could not be read (%s): it is set aside as %s, and made again from the files", error, aside
        )


def _commit(connection: sqlite3.Connection, batch: list[_Write]) -> None:
    """Do the batch in one transaction; a call that fails leaves nothing behind, and the others hold."""
    level = "FULL" if any(write.is_durable for write in batch) else "NORMAL"
    connection.execute(f"PRAGMA synchronous = {level}")
    connection.execute("BEGIN IMMEDIATE")
    results: list[tuple[_Write, Any]] = []
    try:
        for write in batch:
            connection.execute("SAVEPOINT one")
            try:
                results.append((write, write.work(connection)))
            except (sqlite3.IntegrityError, StorageFault, OSError, *_UNSPEAKABLE) as error:
                connection.execute("ROLLBACK TO one")
                write.result.set_exception(error if isinstance(error, StorageFault) else _fault(error))
            connection.execute("RELEASE one")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    for write, result in results:
        write.result.set_result(result)


@contextlib.contextmanager
def _as_faults() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError, *_UNSPEAKABLE) as error:
        raise _fault(error) from error


def _fault(error: Exception) -> StorageFault:
    return StorageFault("The ledger of retrieves cannot be read or written.", cause=f"{type(error).__name__}: {error}")
