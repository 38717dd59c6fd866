"""The ledger's file: one thread writes, many calls in one transaction; others read beside it (SQLite's WAL mode).

A write is on disk, in the sense of fsync, when its call says that it must be; the rest can be had again from the
receipts and the series directories. A file that is taken away or damaged meanwhile is made again at its next use.
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
        self._identity: tuple[int, int] | None = None
        self.number = 0
        """How many files there have been: another number is another file, which knows nothing."""

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
        with self._as_faults():
            return work(self._connection())

    def _write_all(self) -> None:
        """The writer thread."""
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
                with self._as_faults():
                    _commit(self._connection(), batch)
            except BaseException as error:  # whatever it is, it is for those who wait for it: this thread serves all
                for write in batch:
                    if not write.result.done():
                        write.result.set_exception(error)
            if is_last:
                return

    def _connection(self) -> sqlite3.Connection:
        """This thread's own, to the file that is there now. Raises: sqlite3.Error, OSError."""
        number = self._open()
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None or self._local.number != number:
            if connection is not None:
                self._disconnect(connection)
            self._local.connection = connection = self._connect()
            self._local.number = number
        return connection

    def _open(self) -> int:
        """Make the file ready, in whichever thread comes first. Returns: its number. Raises: sqlite3.Error, OSError."""
        with self._opening:
            if self.number and self._identity == _identity_of(self._path):
                return self.number
            if self.number:
                _log.error("the ledger %s has been taken away: it is made again from the files", self._path)
            connection = self._connect()
            try:
                prepare(connection)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                self._disconnect(connection)
                self._set_aside(error)
                connection = self._connect()
                prepare(connection)
            finally:
                self._disconnect(connection)
            self._identity = _identity_of(self._path)
            self.number += 1
            return self.number

    @contextlib.contextmanager
    def _as_faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, *_UNSPEAKABLE) as error:
            if type(error) is sqlite3.DatabaseError:  # SQLITE_CORRUPT and SQLITE_NOTADB have no class of their own
                self._condemn(error)
            raise _fault(error) from error

    def _condemn(self, error: sqlite3.DatabaseError) -> None:
        """Set a file aside that has been found to be damaged in use, if another thread has not done so."""
        with self._opening:
            if getattr(self._local, "number", 0) == self.number and self._identity == _identity_of(self._path):
                self._set_aside(error)

    def _disconnect(self, connection: sqlite3.Connection) -> None:
        connection.close()
        with contextlib.suppress(ValueError):
            self._connections.remove(connection)

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


def _identity_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _fault(error: Exception) -> StorageFault:
    return StorageFault("The ledger of retrieves cannot be read or written.", cause=f"{type(error).__name__}: {error}")
