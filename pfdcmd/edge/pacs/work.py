"""An operation with a PACS: a thread of its own does it, the event loop watches the clock and the caller.

Never the event loop's thread and never a shared one: a PACS that stalls holds up only those who wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

from pfdcmd.edge.pacs.link import CANCEL_SECONDS
from pfdcmd.errors import PacsFault, PeerTimeout

_WATCH_SECONDS = 0.5
# Matches that wait for their reader: a few hundred kilobytes at most, and enough that nobody waits for a thread.
_MAX_WAITING_MATCHES = 256

_T = TypeVar("_T")


class Link(Protocol):
    """What an operation goes over: one association, or two that belong together (link.PacsLink, which says what the
    methods do, and cget)."""

    @property
    def overdue(self) -> PeerTimeout | None: ...
    def open(self) -> None: ...
    def close(self) -> None: ...
    def cancel(self) -> bool: ...
    def stop(self, fault: PacsFault) -> None: ...


async def perform(
    link: Link, work: Callable[[], _T], limit_seconds: float, give_back: Callable[[], None], *, cancels: bool = False
) -> _T:
    """Open the link and do the work; give_back is called in the event loop when the link is closed.

    Whoever is cancelled does not wait for the thread; with cancels, the PACS gets CANCEL_SECONDS to end its part.

    Raises: PacsFault, of the work or because the time is over.
    """
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pacs")
    try:
        # In the caller's context, so that log lines of the thread name the same request.
        result = thread.submit(contextvars.copy_context().run, _open_and, link, work)
    except RuntimeError:  # the system has no thread to give
        give_back()
        raise

    def closed(_: Future[None]) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop has ended: there are no more turns to wait for
            loop.call_soon_threadsafe(give_back)

    thread.submit(link.close).add_done_callback(closed)
    thread.shutdown(wait=False)
    answer = asyncio.wrap_future(result)
    try:
        return await _watch(link, answer, limit_seconds)
    except (asyncio.CancelledError, PeerTimeout) as reason:
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            if cancels and isinstance(reason, asyncio.CancelledError) and link.cancel():
                await asyncio.wait([answer], timeout=CANCEL_SECONDS)
        finally:
            if not answer.done():
                link.stop(PacsFault("The operation was given up."))
        raise


async def _watch(link: Link, answer: asyncio.Future[_T], limit_seconds: float) -> _T:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit_seconds
    while not answer.done():
        await asyncio.wait([answer], timeout=min(_WATCH_SECONDS, max(deadline - loop.time(), 0.001)))
        if answer.done():
            break
        if loop.time() >= deadline:
            raise PeerTimeout(f"The PACS did not finish within {round(limit_seconds, 2):g} s.")
        overdue = link.overdue
        if overdue is not None:
            raise overdue
    return answer.result()


def _open_and(link: Link, work: Callable[[], _T]) -> _T:
    link.open()
    return work()


class Stream(Generic[_T]):
    """What a thread finds, to be read in the event loop as it comes; a thread that is far ahead waits."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._items: deque[_T] = deque()
        self._room = threading.Condition()
        self._has_ended = False
        self._is_abandoned = False

    def put(self, item: _T) -> None:
        """From the thread: add one, once there is room. Raises: PacsFault: the reader has gone."""
        with self._room:
            while len(self._items) >= _MAX_WAITING_MATCHES and not self._is_abandoned:
                self._room.wait()
            if self._is_abandoned:
                raise PacsFault("Nobody reads the answer any more.")
            self._items.append(item)
        self._tell()

    def end(self) -> None:
        """From any thread: there will be no more."""
        with self._room:
            self._has_ended = True
        self._tell()

    async def take(self) -> list[_T]:
        """What has come since, in order; wait for it when there is nothing. An empty list is the end."""
        while True:
            with self._room:
                items, has_ended = list(self._items), self._has_ended
                self._items.clear()
                self._news.clear()
                self._room.notify()
            if items or has_ended:
                return items
            await self._news.wait()

    def abandon(self) -> None:
        """Nobody reads any more; a thread that waits for room gives up."""
        with self._room:
            self._is_abandoned = True
            self._room.notify()

    def _tell(self) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop has ended
            self._loop.call_soon_threadsafe(self._news.set)
