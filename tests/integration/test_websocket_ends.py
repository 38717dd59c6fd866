"""How a WebSocket at the real HTTP port ends, or is refused: limits, rubbish, idleness, rights, the end of pfdcm."""

import asyncio
import contextlib
import socket

import aiohttp
import pytest
from socketsite import SECONDS, Client, scenario, until

from pfdcmd.actions.caller import Right


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
