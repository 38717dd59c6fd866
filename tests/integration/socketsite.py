"""A real HTTP port with WebSockets, methods to wait for, and a client that sorts what it is told."""

import asyncio
from types import SimpleNamespace

import aiohttp

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.edge.http.door import Door
from pfdcmd.edge.http.olddialect import OldDialect
from pfdcmd.edge.http.performing import Performing
from pfdcmd.edge.http.requestid import current_request_id
from pfdcmd.edge.http.server import HttpServer
from pfdcmd.edge.http.websocket import WebSockets
from pfdcmd.edge.treeevents import TreeEvents
from pfdcmd.errors import NotAuthenticated
from pfdcmd.events.hub import EventHub
from pfdcmd.methods.method import Method, Stream
from pfdcmd.methods.perform import Rpc
from pfdcmd.methods.table import METHODS
from pfdcmd.settings import Settings
from pfdcmd.tree.store import Tree

SECONDS = 60


class OwnDoor(Door):
    """Lets in whom the site says."""

    def __init__(self, admit):
        super().__init__()
        self.admit = admit


class Site:
    """A port with WebSockets, a tree, and methods that wait until they may end."""

    def __init__(self, right=Right.ADMIN, **settings):
        self.settings = Settings(port_self=0, **settings)
        self.tree = Tree({"PACS": {"a": {"port": "104"}}})
        self.hub = EventHub()
        TreeEvents(self.tree, self.hub)
        self.context = SimpleNamespace(
            settings=self.settings,
            tree=self.tree,
            events=self.hub,
            environ={},
            jobs=self,
            listeners=SimpleNamespace(listing=lambda: {"heart": {"state": "RUNNING"}}),
        )
        self.may_end = asyncio.Event()
        self.begun = 0
        self.cancelled = 0

        async def save_since(_version):
            pass

        methods = {**METHODS, **{each.name: each for each in (self._method(self.wait), self._method(self.stream))}}
        self.performing = Performing()
        self.right = right
        rpc = Rpc(methods, self.context, save_since)
        self.sockets = WebSockets(self.context, rpc, self.hub, self.performing, self.admit)
        self.server = HttpServer(
            self.settings,
            {("GET", "/rpc"): self.sockets.respond},
            OldDialect(self.settings, None, self.performing),
            self.performing,
            lambda: None,
            door=OwnDoor(self.admit),
        )
        self.url = ""

    async def list(self, *, limit):
        """As JobsPort.list."""
        return []

    def admit(self, _request):
        if self.right is None:
            raise NotAuthenticated
        return Caller(right=self.right, request_id=current_request_id())

    @staticmethod
    def _method(run):
        return Method(name=f"test.{run.__name__}", summary="", right=Right.READ, run=run, result={})

    async def wait(self, _params, _context, caller):
        self.begun += 1
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return caller.request_id

    async def stream(self, _params, _context, _caller):
        async def items():
            for number in range(500):
                yield {"n": number}

        return Stream("test.item", items())

    async def __aenter__(self):
        host, port = await self.server.start()
        self.port = port
        self.url = f"http://{host}:{port}/rpc"
        return self

    async def __aexit__(self, *_):
        await asyncio.gather(self.sockets.end(0.2), self.server.stop(0.2))


class Client:
    """A socket whose messages are sorted into answers and notifications as they come."""

    def __init__(self, raw):
        self.raw = raw
        self.told = []
        self._number = 0

    async def send(self, method, params=None):
        self._number += 1
        await self.raw.send_json({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params or {}})
        return self._number

    async def receive(self):
        return await asyncio.wait_for(self.raw.receive_json(), SECONDS)

    async def call(self, method, params=None):
        number = await self.send(method, params)
        while (message := await self.receive()).get("id") != number:
            self.told.append(message)
        return message

    async def result(self, method, params=None):
        message = await self.call(method, params)
        assert "result" in message, message
        return message["result"]

    async def notification(self):
        return self.told.pop(0) if self.told else await self.receive()


def scenario(script, **settings):
    async def run():
        async with asyncio.timeout(SECONDS), Site(**settings) as site, aiohttp.ClientSession() as http:
            await script(site, http)

    asyncio.run(run())


async def until(condition):
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.005)
