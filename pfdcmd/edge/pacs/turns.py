"""Turns: how many associations are open to one address at once, so that a slow PACS costs nobody else anything."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

# A retrieve may take hours: some turns are kept for queries, so that these do not wait for retrieves.
_SHARE_FOR_QUERIES = 4


@dataclass
class _Gate:
    """The turns of one key: how many there are, who has one and who waits, first come first served."""

    limit: int
    taken: int = 0
    retrieves: int = 0
    waiting: deque[tuple[asyncio.Future[None], bool]] = field(default_factory=deque)

    def has_turn(self, *, is_retrieve: bool) -> bool:
        most_retrieves = self.limit - self.limit // _SHARE_FOR_QUERIES
        return self.taken < self.limit and (not is_retrieve or self.retrieves < most_retrieves)

    def count(self, change: int, *, is_retrieve: bool) -> None:
        self.taken += change
        self.retrieves += change * is_retrieve

    def grant(self) -> None:
        """Give turns to who waits; a retrieve that must wait on holds up no query behind it."""
        for waiter, is_retrieve in list(self.waiting):
            if not waiter.done() and self.has_turn(is_retrieve=is_retrieve):
                self.waiting.remove((waiter, is_retrieve))
                self.count(1, is_retrieve=is_retrieve)
                waiter.set_result(None)


class Turns:
    """At most `limit` turns at once for one key, of which retrieves get three quarters."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._gates: dict[Hashable, _Gate] = {}

    @property
    def waiting(self) -> int:
        """How many wait for theirs."""
        return sum(len(gate.waiting) for gate in self._gates.values())

    async def take(self, key: Hashable, *, is_retrieve: bool = False, limit: int | None = None) -> Callable[[], None]:
        """Wait for a turn. limit: the key's own, from now on; None for everybody's.

        Returns: what gives it back; to be called once, in the event loop.
        """
        gate = self._gates.setdefault(key, _Gate(self._limit))
        gate.limit = limit if limit is not None else self._limit

        def give_back() -> None:
            gate.count(-1, is_retrieve=is_retrieve)
            gate.grant()
            self._forget(key, gate)

        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        gate.waiting.append((waiter, is_retrieve))
        gate.grant()
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                give_back()
            else:
                gate.waiting.remove((waiter, is_retrieve))
                self._forget(key, gate)
            raise
        return give_back

    def _forget(self, key: Hashable, gate: _Gate) -> None:
        if not gate.taken and not gate.waiting:
            self._gates.pop(key, None)
