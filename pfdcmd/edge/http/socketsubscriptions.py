"""The subscriptions of one WebSocket: what each is not told yet is taken from the hub as fast as the caller reads.

A caller that reads slowly has one message on its way and nothing that waits for it: of what the hub has forgotten
meanwhile it is told as one `events.lagged`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from pfdcmd.errors import Fault, MessageFault, ParameterFault
from pfdcmd.events.hub import EventHub, Follower
from pfdcmd.events.stream import Change, Place

MAX_SUBSCRIPTIONS = 64
_TAKEN_AT_ONCE = 64

Send = Callable[[str], Awaitable[None]]
"""Sends one text; waits while the caller does not read."""
Snapshot = Callable[[str], Awaitable[Any]]
"""What there is of a topic now, of a size that may be sent unasked. Raises: Fault: nothing any more."""


class Subscriptions:
    """Told of by `tell`, which runs as long as the socket is open."""

    def __init__(self, hub: EventHub, send: Send, snapshot: Snapshot) -> None:
        self._hub = hub
        self._send = send
        self._snapshot = snapshot
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._followers: dict[str, Follower] = {}
        self._begun: set[str] = set()
        self._count = 0

    @property
    def is_empty(self) -> bool:
        """Whether the socket follows nothing, and so may be idle."""
        return not self._followers

    def add(self, topic: str, since: Place | None) -> tuple[str, Follower]:
        """Follow the topic; nothing of it is told before `begin`. Returns: the subscription's id, and its follower.

        Raises: MessageFault: this socket, or all together, have too many.
        """
        if len(self._followers) >= MAX_SUBSCRIPTIONS:
            raise MessageFault(f"One WebSocket has at most {MAX_SUBSCRIPTIONS} subscriptions; follow a topic above.")
        follower = self._hub.follow(topic, self._wake, since)
        self._count += 1
        subscription_id = f"s{self._count}"
        self._followers[subscription_id] = follower
        return subscription_id, follower

    def begin(self, subscription_ids: Iterable[str]) -> None:
        """Tell of these from now on: the caller has their ids."""
        self._begun.update(each for each in subscription_ids if each in self._followers)
        self._woken.set()

    def remove(self, subscription_id: str) -> None:
        """Tell no more of it. Raises: ParameterFault: there is no such subscription."""
        follower = self._followers.pop(subscription_id, None)
        if follower is None:
            raise ParameterFault("This WebSocket has no such subscription.", parameter="subscription")
        self._begun.discard(subscription_id)
        self._hub.leave(follower)

    def remove_all(self) -> None:
        """End every subscription: the socket is closed."""
        for subscription_id in tuple(self._followers):
            self.remove(subscription_id)

    async def tell(self) -> None:
        """Send what there is to tell, until cancelled or the connection is gone. Raises: ConnectionError."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            while await self._tell_each():
                pass

    async def _tell_each(self) -> bool:
        """A turn for each subscription, so that none keeps the others waiting. Returns: whether there was anything."""
        is_any = False
        for subscription_id in tuple(self._begun):
            follower = self._followers.get(subscription_id)
            if follower is None:
                continue
            taken = self._hub.take(follower, _TAKEN_AT_ONCE)
            is_any = is_any or bool(taken.missed or taken.changes)
            if taken.missed:
                await self._send(await self._lagged(subscription_id, follower, taken.missed))
            for change in taken.changes:
                if subscription_id in self._begun:
                    await self._send(_change(subscription_id, change))
        return is_any

    async def _lagged(self, subscription_id: str, follower: Follower, missed: int) -> str:
        params: dict[str, Any] = {
            "subscription": subscription_id,
            "topic": follower.stream.topic,
            "missed": missed,
            "number": follower.number,
        }
        with suppress(Fault):
            params["snapshot"] = await self._snapshot(follower.stream.topic)
        return json.dumps({"jsonrpc": "2.0", "method": "events.lagged", "params": params}, default=dict)

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the event loop has ended
            self._loop.call_soon_threadsafe(self._woken.set)


def _change(subscription_id: str, change: Change) -> str:
    """The notification around the data, which is text already."""
    return (
        f'{{"jsonrpc": "2.0", "method": "events.change", "params": {{"subscription": "{subscription_id}", '
        f'"number": {change.number}, "topic": {json.dumps(change.topic)}, "data": {change.text}}}}}'
    )
