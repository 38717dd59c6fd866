"""WebSockets at the real HTTP port, spoken to by aiohttp's client and by hand."""

import asyncio
import contextlib
import socket
from types import SimpleNamespace

import aiohttp
import pytest

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.edge.http.door import Door
from pfdcmd.edge.http.olddialect import OldDialect
from pfdcmd.edge.http.performing import Performing
from pfdcmd.edge.http.requestid import current_request_id
from pfdcmd.edge.http.server import HttpServer
from pfdcmd.edge.http.socketsession import MAX_REQUESTS
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


def test_the_same_methods_as_by_post_and_answers_by_id():
    async def script(_site, http):
        async with http.ws_connect(_site.url) as raw:
            client = Client(raw)
            assert await client.result("tree.get", {"path": "/PACS/a/port"}) == "104"
            assert (await client.call("no.such"))["error"]["code"] == -32601
            await raw.send_str("{")
            assert (await client.receive())["error"]["code"] == -32700
            await raw.send_json(
                [
                    {"jsonrpc": "2.0", "id": "x", "method": "tree.set", "params": ["/PACS/a/port", "105"]},
                    {"jsonrpc": "2.0", "id": "y", "method": "tree.get", "params": ["/PACS/a/port"]},
                ]
            )
            assert [each["result"] for each in await client.receive()] == ["105", "105"]

    scenario(script)


def test_requests_are_done_side_by_side_and_one_too_many_is_told_so():
    async def script(site, http):
        async with http.ws_connect(site.url, headers={"X-Request-Id": "abc"}) as raw:
            client = Client(raw)
            for _ in range(MAX_REQUESTS):
                await client.send("test.wait")
            await until(lambda: site.begun == MAX_REQUESTS)
            await client.send("tree.get", {"path": "/"})
            assert "at once" in (await client.receive())["error"]["message"]
            site.may_end.set()
            results = {(await client.receive())["result"] for _ in range(MAX_REQUESTS)}
            assert results == {f"abc.{number}" for number in range(1, MAX_REQUESTS + 1)}

    scenario(script)


def test_the_end_of_the_connection_ends_what_it_waited_for():
    async def script(site, http):
        async with http.ws_connect(site.url) as raw:
            client = Client(raw)
            await client.send("test.wait")
            await client.result("events.subscribe", {"topic": "tree"})
            await until(lambda: site.begun)
        await until(lambda: site.cancelled == 1 and site.sockets.count == 0 and site.hub.counts().followers == 0)

    scenario(script)


def test_a_snapshot_then_numbered_changes_until_unsubscribed():
    async def script(site, http):
        async with http.ws_connect(site.url) as raw:
            client = Client(raw)
            begun = await client.result("events.subscribe", {"path": "/PACS/a"})
            assert begun["snapshot"] == {"path": "/PACS/a", "value": {"port": "104"}}
            assert (begun["topic"], begun["number"], begun["resumed"]) == ("tree/PACS/a", 0, False)
            site.tree.set("/PACS/a/port", "106")
            site.tree.set("/PACS/b/port", "1")
            site.tree.set("/PACS/a/port", "107")
            told = [await client.notification() for _ in range(2)]
            assert [(t["method"], t["params"]["number"], t["params"]["data"]["value"]) for t in told] == [
                ("events.change", 1, "106"),
                ("events.change", 2, "107"),
            ]
            assert {t["params"]["subscription"] for t in told} == {begun["subscription"]}
            assert await client.result("events.unsubscribe", {"subscription": begun["subscription"]}) is None
            site.tree.set("/PACS/a/port", "108")
            assert await client.result("tree.get", {"path": "/PACS/a/port"}) == "108"
            assert client.told == []
            assert (await client.call("events.unsubscribe", {"subscription": "s1"}))["error"]["code"] == -32602

    scenario(script)


def test_since_goes_on_where_the_broken_connection_ended():
    async def script(site, http):
        async with http.ws_connect(site.url) as raw:
            begun = await Client(raw).result("events.subscribe", {"topic": "tree"})
        site.tree.set("/PACS/a/port", "1")
        site.tree.set("/PACS/a/port", "2")
        since = {"epoch": begun["epoch"], "number": 1}
        async with http.ws_connect(site.url) as raw:
            client = Client(raw)
            again = await client.result("events.subscribe", {"topic": "tree", "since": since})
            assert (again["resumed"], again["number"], again["snapshot"]) == (True, 1, None)
            assert (await client.notification())["params"]["number"] == 2
            other = {"topic": "tree", "since": {"epoch": "another", "number": 1}}
            fresh = await client.result("events.subscribe", other)
            assert (fresh["resumed"], fresh["number"]) == (False, 2)
            assert fresh["snapshot"]["value"] == {"PACS": {"a": {"port": "2"}}}

    scenario(script)


@pytest.mark.parametrize(
    "params", [{}, {"topic": "nothing"}, {"topic": "jobs", "path": "/"}, {"topic": "jobs", "since": 5}, {"path": 7}]
)
def test_what_cannot_be_followed_is_told_so(params):
    async def script(site, http):
        async with http.ws_connect(site.url) as raw:
            assert (await Client(raw).call("events.subscribe", params))["error"]["code"] == -32602
            assert site.hub.counts().followers == 0

    scenario(script)


def test_listeners_are_followed_by_path_and_by_topic():
    async def script(site, http):
        async with http.ws_connect(site.url) as raw:
            client = Client(raw)
            one = await client.result("events.subscribe", {"path": "/listeners/heart/state"})
            assert one["snapshot"] == {"service": "heart", "listing": {"state": "RUNNING"}}
            every = await client.result("events.subscribe", {"topic": "listeners"})
            assert every["snapshot"] == {"services": {"heart": {"state": "RUNNING"}}}

    scenario(script)


def test_a_stream_comes_item_by_item_before_its_answer():
    async def script(site, http):
        async with http.ws_connect(site.url) as raw:
            client = Client(raw)
            assert await client.result("test.stream") == {"count": 500}
            assert [each["params"]["number"] for each in client.told] == list(range(1, 501))

    scenario(script)


def test_a_reader_that_does_not_read_lags_and_costs_nothing():
    async def script(site, http):
        async with http.ws_connect(site.url, max_msg_size=0) as raw:
            client = Client(raw)
            await client.result("events.subscribe", {"topic": "jobs"})
            # nothing is read from here on: aiohttp stops the transport, the kernel's buffers fill
            for number in range(100_000):
                site.hub.publish("jobs/a", {"number": number, "text": "x" * 200})
                if number % 500 == 0:
                    await asyncio.sleep(0)
            stream = site.hub.follow("jobs", lambda: None).stream
            assert stream.number == 100_000
            assert stream.characters < 8 * 1024 * 1024
            told, missed, last = 0, 0, 0
            while last < 100_000:
                message = await client.notification()
                params = message["params"]
                if message["method"] == "events.lagged":
                    missed += params["missed"]
                    assert params["number"] == last + params["missed"]
                    assert params["snapshot"] == {"jobs": []}
                else:
                    told += 1
                    assert params["number"] == last + 1
                last = params["number"]
            assert missed > 50_000
            assert told + missed == 100_000

    scenario(script)


def test_too_many_sockets():
    async def script(site, http):
        async with http.ws_connect(site.url):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(site.url)
            assert refused.value.status == 503
        await until(lambda: site.sockets.count == 0)
        async with http.ws_connect(site.url) as raw:
            assert await Client(raw).result("tree.get", {"path": "/PACS/a/port"})

    scenario(script, max_sockets=1)


def test_an_idle_socket_is_closed_and_one_that_follows_is_not():
    async def script(site, http):
        async with http.ws_connect(site.url) as raw, http.ws_connect(site.url) as idle:
            client = Client(raw)
            await client.result("events.subscribe", {"topic": "tree"})
            message = await asyncio.wait_for(idle.receive(), SECONDS)
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1000)
            site.tree.set("/PACS/a/port", "5")
            assert (await client.notification())["params"]["data"]["value"] == "5"

    scenario(script, socket_idle_seconds=1.0)


@pytest.mark.parametrize(("send", "code"), [("bytes", 1003), ("too much", 1009)])
def test_what_is_no_text_or_too_long_ends_the_connection(send, code):
    async def script(site, http):
        async with http.ws_connect(site.url) as raw:
            if send == "bytes":
                await raw.send_bytes(b"{}")
            else:
                await raw.send_str("x" * 5000)
            message = await asyncio.wait_for(raw.receive(), SECONDS)
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, code)
        await until(lambda: site.sockets.count == 0)

    scenario(script, max_body_bytes=4096)


def test_the_end_of_pfdcm_says_goodbye():
    async def script(site, http):
        async with http.ws_connect(site.url) as raw:
            await Client(raw).result("tree.get", {"path": "/"})
            ending = asyncio.create_task(site.sockets.end(0.1))
            message = await asyncio.wait_for(raw.receive(), SECONDS)
            assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1001)
            await ending
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await http.ws_connect(site.url)

    scenario(script)


def test_without_an_upgrade_there_is_a_word_about_it():
    async def script(site, http):
        async with http.get(site.url) as response:
            assert (response.status, response.headers["Upgrade"]) == (426, "websocket")
            assert "Upgrade" in (await response.json())["error"]["message"]

    scenario(script)


@pytest.mark.parametrize(
    "after",
    [
        b"\xff" * 64,  # reserved bits and an unknown opcode
        b"\x89\xfe\xff\xff",  # a ping that is too long
        b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff",  # a length beyond 2^63
        b"",
    ],
)
def test_what_is_no_websocket_ends_and_leaves_nothing_behind(after):
    async def script(site, _http):
        head = (
            "GET /rpc HTTP/1.1\r\nHost: pfdcm\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(head.encode() + after)
        if not after:
            await until(lambda: site.sockets.count == 1)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            writer.close()
        else:
            assert (await asyncio.wait_for(reader.read(), SECONDS)).startswith(b"HTTP/1.1 101")
        await until(lambda: site.sockets.count == 0)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    scenario(script)


def test_the_rights_are_those_of_the_request_that_was_upgraded():
    async def script(site, http):
        async with http.ws_connect(site.url) as raw:
            client = Client(raw)
            assert await client.result("events.subscribe", {"topic": "tree"})
            assert (await client.call("tree.set", {"path": "/x", "value": 1}))["error"]["code"] >= 500

    scenario(script, right=Right.READ)


def test_a_right_that_is_withdrawn_is_withdrawn_from_open_connections():
    async def script(site, http):
        async with http.ws_connect(site.url) as raw, http.ws_connect(site.url) as silent:
            client = Client(raw)
            assert await client.result("tree.set", {"path": "/x", "value": 1}) == 1
            await Client(silent).result("events.subscribe", {"topic": "tree"})
            site.right = Right.READ
            assert (await client.call("tree.set", {"path": "/x", "value": 2}))["error"]["code"] >= 500
            site.right = None
            await client.send("tree.get", {"path": "/x"})
            for closed in (raw, silent):
                message = await asyncio.wait_for(closed.receive(), SECONDS)
                assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1008)
        await until(lambda: site.sockets.count == 0 and site.hub.counts().followers == 0)

    scenario(script)


@pytest.mark.parametrize(("named", "is_taken"), [("scanner-7.a_B", True), ("a b", False), (None, False)])
def test_the_request_id_is_in_the_answer(named, is_taken):
    async def script(site, http):
        headers = {} if named is None else {"X-Request-Id": named}
        async with http.get(site.url, headers=headers) as response:
            given = response.headers["X-Request-Id"]
            assert (given == named) is is_taken
            assert given.replace("-", "").replace(".", "").replace("_", "").isalnum()

    scenario(script)
