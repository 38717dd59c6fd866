"""A caller with its sleeves rolled up: bytes to a server of the test's own, and the bytes that come back."""

import asyncio
import json
from contextlib import asynccontextmanager

from pfdcmd.edge.http.olddialect import OldDialect
from pfdcmd.edge.http.performing import Performing
from pfdcmd.edge.http.server import HttpServer
from pfdcmd.settings import Settings

DEADLINE_SECONDS = 30


async def echo(call, caller):
    """An answer that needs no daemon: the call itself."""
    return {"status": True, "action": call.action, "meta": dict(call.meta)}


@asynccontextmanager
async def serving(answer=echo, answered=lambda: None, **settings):
    """An HttpServer on a free port of 127.0.0.1; yields the port and the server."""
    values = Settings(port_self=0, **settings)
    performing = Performing()
    server = HttpServer(values, {}, OldDialect(values, answer, performing), performing, answered)
    _, port = await server.start()
    try:
        yield port, server
    finally:
        await server.stop(0)


def run(scenario):
    asyncio.run(asyncio.wait_for(scenario, DEADLINE_SECONDS))


def post(body, *headers, path="/api/v1/cmd"):
    """The bytes of a POST."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: pfdcm", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def exchange(port, request):
    """Send the bytes, and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()


def parse(response, double_header=True):
    """Outer status, outer headers and the reply, of a whole response; the inner frame is checked on the way."""
    if not double_header:
        return None, {}, json.loads(response)
    head, _, body = response.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert int(headers["content-length"]) == len(body)
    assert body.count(b"\r") == 4
    inner, _, content = body.partition(b"\r\n\r\n")
    expected = f"200 OK\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: {len(content)}"
    assert inner.decode() == expected
    return int(status.split()[1]), headers, json.loads(content)


async def ask(port, body, *headers, double_header=True):
    """Post one message on a connection of its own. Returns: status, headers, reply."""
    return parse(await exchange(port, post(body, "Connection: close", *headers)), double_header)
