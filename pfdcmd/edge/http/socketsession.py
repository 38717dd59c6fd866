"""One caller's WebSocket: JSON-RPC texts in, responses and notifications out.

Requests are done side by side, each answered when it is done. The end of the connection ends what it was waiting for,
as it does over HTTP; a job goes on. The door is asked again at each text, and every few seconds in between: a token
that is withdrawn, or has another right now, is so for open connections too.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from pfdcmd.actions.caller import Caller
from pfdcmd.actions.context import Context
from pfdcmd.edge.http.performing import Performing
from pfdcmd.edge.http.requestid import part_of, set_request_id
from pfdcmd.edge.http.socketsubscriptions import Subscriptions
from pfdcmd.errors import AccessRefused, Fault, MessageFault
from pfdcmd.events.hub import EventHub
from pfdcmd.methods.events import SUBSCRIBE, UNSUBSCRIBE, place_of, snapshot_of, wanted_topic
from pfdcmd.methods.perform import Rpc
from pfdcmd.methods.table import METHODS
from pfdcmd.wire.jsonrpc import encode_error, encode_notification, error_of

MAX_REQUESTS = 16
"""Under way at once on one socket; one that needs more opens another, or sends a batch."""

MAX_UNSENT_BYTES = 4 * 1024 * 1024
"""Of answers that the caller has not read: with more, nothing further of it is begun."""

_GUARD_SECONDS = 5.0
_MAX_REASON_BYTES = 123
"""Of a close frame: RFC 6455 section 5.5."""

Params = Mapping[str, Any]

_log = logging.getLogger(__name__)


class SocketSession:
    """Lives as long as the connection."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        admit: Callable[[], Caller],
        context: Context,
        rpc: Rpc,
        hub: EventHub,
        performing: Performing,
    ) -> None:
        """admit says who calls, now. Raises: AccessRefused: nobody who may, any more."""
        self._socket = socket
        self._admit = admit
        self._context = context
        self._rpc = rpc
        self._performing = performing
        self._requests: set[asyncio.Task[None]] = set()
        self._received = 0
        self._one_at_a_time = asyncio.Lock()
        self._unsent_bytes = 0
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._subscriptions = Subscriptions(hub, self._send, partial(snapshot_of, context=context, is_whole=False))

    async def run(self) -> None:
        """Serve until the connection ends, however it does."""
        reading = asyncio.create_task(self._read())
        telling = asyncio.create_task(self._subscriptions.tell())
        guarding = asyncio.create_task(self._guard())
        try:
            await asyncio.wait({reading, telling, guarding}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._subscriptions.remove_all()
            tasks = (reading, telling, guarding, *self._requests)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for task in (reading, telling, guarding):
                _note_end(task)

    async def end(self, grace_seconds: float) -> None:
        """Let what is under way end for up to grace_seconds, then say goodbye."""
        if self._requests:
            await asyncio.wait(self._requests, timeout=grace_seconds)
        await self._socket.close(code=WSCloseCode.GOING_AWAY, message=b"pfdcm is shutting down")

    async def _guard(self) -> None:
        """Return once the caller would not be let in any more."""
        while True:
            await asyncio.sleep(_GUARD_SECONDS)
            if await self._who() is None:
                return

    async def _who(self) -> Caller | None:
        """The caller as it is now; None when it may not any more, and has been told so."""
        try:
            return self._admit()
        except AccessRefused as fault:
            await self._socket.close(
                code=WSCloseCode.POLICY_VIOLATION, message=fault.message.encode()[:_MAX_REASON_BYTES]
            )
            return None

    async def _read(self) -> None:
        """Take texts until there are none: the connection is over, or was idle for too long."""
        while True:
            try:
                message = await self._socket.receive(timeout=self._context.settings.socket_idle_seconds)
            except TimeoutError:
                if self._requests or not self._subscriptions.is_empty:
                    continue
                await self._socket.close(code=WSCloseCode.OK, message=b"idle")
                return
            if message.type is WSMsgType.BINARY:
                await self._socket.close(code=WSCloseCode.UNSUPPORTED_DATA, message=b"JSON-RPC is text")
                return
            if message.type is not WSMsgType.TEXT:
                return
            caller = await self._who()
            if caller is None:
                return
            await self._begin(message, caller)

    async def _begin(self, message: WSMessage, caller: Caller) -> None:
        self._received += 1
        if len(self._requests) >= MAX_REQUESTS:
            too_many = MessageFault(f"At most {MAX_REQUESTS} requests at once on one WebSocket; wait for answers.")
            await self._send(encode_error(error_of(too_many, None)).decode("ascii"))
            return
        task = asyncio.create_task(self._perform(message.data.encode("utf-8", "replace"), caller, self._received))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        task.add_done_callback(_note_end)

    async def _perform(self, text: bytes, caller: Caller, number: int) -> None:
        caller = dataclasses.replace(caller, request_id=part_of(caller.request_id, number))
        set_request_id(caller.request_id)
        while not self._has_room.is_set():  # one that has begun meanwhile may have taken it again
            await self._has_room.wait()
        begun: list[str] = []
        own = {
            SUBSCRIBE: dataclasses.replace(METHODS[SUBSCRIBE], run=partial(self._subscribe, begun)),
            UNSUBSCRIBE: dataclasses.replace(METHODS[UNSUBSCRIBE], run=self._unsubscribe),
        }
        try:
            answer = await self._performing.perform(self._rpc.perform(text, caller, own=own, notify=self._notify))
        except MessageFault as fault:
            answer = encode_error(error_of(fault, None))
        if answer is not None:
            await self._answer(answer)
        self._subscriptions.begin(begun)

    async def _subscribe(self, begun: list[str], params: Params, context: Context, _caller: Caller) -> dict[str, Any]:
        """Follow first, look then: what changes in between is told twice rather than not at all."""
        subscription_id, follower = self._subscriptions.add(wanted_topic(params), place_of(params))
        place, topic = follower.place, follower.stream.topic
        try:
            snapshot = None if follower.is_resumed else await snapshot_of(topic, context)
        except Fault:
            self._subscriptions.remove(subscription_id)
            raise
        begun.append(subscription_id)
        return {
            "subscription": subscription_id,
            "topic": topic,
            "epoch": place.epoch,
            "number": place.number,
            "resumed": follower.is_resumed,
            "snapshot": snapshot,
        }

    async def _unsubscribe(self, params: Params, _context: Context, _caller: Caller) -> None:
        self._subscriptions.remove(params["subscription"])

    async def _answer(self, answer: bytes) -> None:
        self._unsent_bytes += len(answer)
        if self._unsent_bytes > MAX_UNSENT_BYTES:
            self._has_room.clear()
        try:
            await self._send(answer.decode("ascii"))
        finally:
            self._unsent_bytes -= len(answer)
            if self._unsent_bytes <= MAX_UNSENT_BYTES:
                self._has_room.set()

    async def _notify(self, method: str, params: Params) -> None:
        await self._send(encode_notification(method, params).decode("ascii"))

    async def _send(self, text: str) -> None:
        """One message at a time is on its way. Raises: ConnectionError: the connection is gone."""
        async with self._one_at_a_time:
            await self._socket.send_str(text)


def _note_end(task: asyncio.Task[None]) -> None:
    """Of a task that nobody waits for: the connection's end is none of our faults, anything else is."""
    if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, ConnectionError):
        _log.error("A WebSocket's work has failed", exc_info=error)
