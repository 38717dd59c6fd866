"""Events over a WebSocket: a snapshot, then numbered changes; after a broken connection, from where it was.

Everything that comes is bounded; a server whose upgrade fails is told apart from one that cannot be reached.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from pfdcmd.ctl.configuration import Server
from pfdcmd.ctl.problems import Problem, Unreachable
from pfdcmd.ctl.transport import headers_of, refused, unreachable

_MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_HEARTBEAT_SECONDS = 20.0
_CONNECT_SECONDS = 10.0
_PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Between attempts to connect again; the last one again and again."""
GIVE_UP_SECONDS = 300.0
"""A pfdcm that is started again is back sooner, also one that waits for its directories."""

_SUBSCRIBE_ID = 1


class NoEvents(Problem):
    """The server has no WebSocket to offer."""


@dataclass(frozen=True)
class Event:
    """kind: snapshot (what there is at the beginning), change, or lagged (changes were missed: what there is now)."""

    kind: str
    topic: str
    number: int
    data: Any


async def follow(server: Server, what: Mapping[str, str]) -> AsyncGenerator[Event, None]:
    """The events of a {topic} or {path}, without end.

    Raises: NoEvents: the upgrade fails; Unreachable: nobody is there, or not again; Refused: the server's error.
    """
    since: Mapping[str, Any] | None = None
    pauses = iter(_PAUSES_SECONDS)
    loop = asyncio.get_running_loop()
    last_seen = loop.time()
    async with aiohttp.ClientSession(headers=headers_of(server)) as http:
        while True:
            try:
                async with await _connect(http, server) as socket:
                    pauses = iter(_PAUSES_SECONDS)
                    async for event, place in _subscribed(socket, what, since):
                        since = place
                        yield event
                    last_seen = loop.time()
            except Unreachable:
                if since is None:
                    raise
            if loop.time() - last_seen > GIVE_UP_SECONDS:
                raise Unreachable(f"The connection to {server.url} is broken.", "See whether pfdcm still runs.")
            await asyncio.sleep(next(pauses, _PAUSES_SECONDS[-1]))


async def _connect(http: aiohttp.ClientSession, server: Server) -> aiohttp.ClientWebSocketResponse:
    context = server.tls_context()
    try:
        return await asyncio.wait_for(
            http.ws_connect(
                f"{server.url}/rpc",
                heartbeat=_HEARTBEAT_SECONDS,
                max_msg_size=_MAX_MESSAGE_BYTES,
                ssl=True if context is None else context,
            ),
            _CONNECT_SECONDS,
        )
    except aiohttp.WSServerHandshakeError as error:
        if error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise refused({"message": "Access is refused."}, "events.subscribe", error.status) from error
        raise NoEvents(f"{server.url} offers no events (HTTP status {error.status}).") from error
    except aiohttp.ClientConnectorError as error:
        raise unreachable(server, error.os_error, _CONNECT_SECONDS) from error
    except (aiohttp.ClientError, OSError) as error:
        raise unreachable(
            server, error if isinstance(error, OSError) else OSError(str(error)), _CONNECT_SECONDS
        ) from error


async def _subscribed(
    socket: aiohttp.ClientWebSocketResponse, what: Mapping[str, str], since: Mapping[str, Any] | None
) -> AsyncGenerator[tuple[Event, Mapping[str, Any]], None]:
    """The events of one connection until it ends, each with the place to go on from."""
    params = {**what} if since is None else {**what, "since": since}
    await socket.send_json({"jsonrpc": "2.0", "id": _SUBSCRIBE_ID, "method": "events.subscribe", "params": params})
    epoch = ""
    async for message in socket:
        received = _received(message)
        if isinstance(error := received.get("error"), Mapping):
            raise refused(error, "events.subscribe")
        if received.get("id") == _SUBSCRIBE_ID and isinstance(answer := received.get("result"), Mapping):
            epoch = str(answer.get("epoch", ""))
            number = _number(answer)
            if not answer.get("resumed"):
                kind = "snapshot" if since is None else "lagged"
                place = {"epoch": epoch, "number": number}
                yield Event(kind, str(answer.get("topic", "")), number, answer.get("snapshot")), place
            continue
        params_of = received.get("params")
        if received.get("method") in ("events.change", "events.lagged") and isinstance(params_of, Mapping):
            is_change = received["method"] == "events.change"
            number = _number(params_of)
            event = Event(
                "change" if is_change else "lagged",
                str(params_of.get("topic", "")),
                number,
                params_of.get("data" if is_change else "snapshot"),
            )
            yield event, {"epoch": epoch, "number": number}


def _received(message: aiohttp.WSMessage) -> Mapping[str, Any]:
    if message.type is not aiohttp.WSMsgType.TEXT:
        return {}
    try:
        value = json.loads(message.data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _number(answer: Mapping[str, Any]) -> int:
    number = answer.get("number")
    return number if isinstance(number, int) else 0
