"""What callers wait for right now, so that the end of pfdcm can wait for it too, and then answer for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from pfdcmd.errors import LocalError, MessageFault

_T = TypeVar("_T")


class Performing:
    """The requests that are being answered."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ended: set[asyncio.Task[Any]] = set()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._tasks)

    async def perform(self, answer: Awaitable[_T]) -> _T:
        """Await the answer within the request's own task; a caller who goes away cancels it.

        Raises: MessageFault: pfdcm has ended meanwhile.
        """
        own = asyncio.current_task()
        if own is None:
            raise LocalError("a request outside of a task")
        self._tasks.add(own)
        try:
            return await answer
        except asyncio.CancelledError:
            if own not in self._ended:
                raise
            own.uncancel()
            raise MessageFault("pfdcm is shutting down.") from None
        finally:
            self._tasks.discard(own)

    async def end(self, grace_seconds: float) -> None:
        """Let them end for up to grace_seconds, then cancel the rest: their callers are told."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        for task in self._tasks:
            self._ended.add(task)
            task.cancel()
