"""Turns: how many associations are open to one address at once, so that a slow PACS costs nobody else anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

# A retrieve may take hours: some turns are kept for queries, so that these do not wait for retrieves.
_SHARE_FOR_QUERIES = 4


@dataclass
class _Gate:
    limit: int
    users: int = 0
    associations: asyncio.Semaphore = field(init=False)
    retrieves: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.associations = asyncio.Semaphore(self.limit)
        self.retrieves = asyncio.Semaphore(self.limit - self.limit // _SHARE_FOR_QUERIES)


class Turns:
    """At most `limit` turns at once for one key, of which retrieves get three quarters."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._gates: dict[Hashable, _Gate] = {}

    async def take(self, key: Hashable, *, is_retrieve: bool = False) -> Callable[[], None]:
        """Wait for a turn. Returns: what gives it back; to be called once, in the event loop."""
        gate = self._gates.setdefault(key, _Gate(self._limit))
        semaphores = [gate.retrieves, gate.associations] if is_retrieve else [gate.associations]
        gate.users += 1
        taken: list[asyncio.Semaphore] = []

        def give_back() -> None:
            for semaphore in taken:
                semaphore.release()
            gate.users -= 1
            if not gate.users:
                del self._gates[key]

        try:
            for semaphore in semaphores:
                await semaphore.acquire()
                taken.append(semaphore)
        except asyncio.CancelledError:
            give_back()
            raise
        return give_back
