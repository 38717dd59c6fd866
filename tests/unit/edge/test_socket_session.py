"""A WebSocket whose caller does not read: what is answered, and what waits."""

import asyncio
import json
from types import SimpleNamespace

from aiohttp import WSMsgType

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.edge.http.performing import Performing
from pfdcmd.edge.http.socketsession import MAX_REQUESTS, MAX_UNSENT_BYTES, SocketSession
from pfdcmd.events.hub import EventHub

LARGE = b'"' + b"x" * MAX_UNSENT_BYTES + b'"'


class Socket:
    """Gives texts, then waits; sends once it may."""

    def __init__(self, count):
        self._left = count
        self.reads = asyncio.Event()
        self.sent = []

    async def receive(self, timeout):
        if not self._left:
            await asyncio.Event().wait()
        self._left -= 1
        return SimpleNamespace(type=WSMsgType.TEXT, data=json.dumps(self._left))

    async def send_str(self, text):
        await self.reads.wait()
        self.sent.append(text)


class Rpc:
    def __init__(self, answer):
        self.answer = answer
        self.performed = 0

    async def perform(self, text, caller, *, own, notify):
        self.performed += 1
        return self.answer


async def turns():
    for _ in range(200):
        await asyncio.sleep(0)


def performed(answer):
    """How many of as many requests as may be under way are done before the caller reads, and after it has."""

    async def run():
        socket, rpc = Socket(MAX_REQUESTS), Rpc(answer)
        context = SimpleNamespace(settings=SimpleNamespace(socket_idle_seconds=60))
        caller = Caller("reader", Right.READ)
        session = SocketSession(socket, lambda: caller, context, rpc, EventHub(), Performing())
        running = asyncio.create_task(session.run())
        await turns()
        before = rpc.performed
        socket.reads.set()
        await turns()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return before, rpc.performed, len(socket.sent)

    return asyncio.run(run())


def test_large_answers_that_nobody_reads_are_not_made():
    assert performed(LARGE) == (1, MAX_REQUESTS, MAX_REQUESTS)


def test_small_answers_are_made_side_by_side():
    assert performed(b"1") == (MAX_REQUESTS, MAX_REQUESTS, MAX_REQUESTS)
