"""GET /rpc: the upgrade to a WebSocket, and how many there are.

Source: RFC 6455. Extensions are not offered: with permessage-deflate a small message of a stranger's could take any
amount of memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from aiohttp import web

from pfdcmd.actions.caller import Caller
from pfdcmd.actions.context import Context
from pfdcmd.edge.http.performing import Performing
from pfdcmd.edge.http.requestid import HEADER, current_request_id
from pfdcmd.edge.http.socketsession import SocketSession
from pfdcmd.errors import MessageFault
from pfdcmd.events.hub import EventHub
from pfdcmd.methods.perform import Rpc
from pfdcmd.wire.jsonrpc import encode_error, error_of

HEARTBEAT_SECONDS = 30.0
"""Between pings; a caller that does not answer one within half of it is gone. Proxies close what is silent for 60 s."""

_CLOSING_SECONDS = 2.0

_JSON = {"Server": "pfdcm", "Content-Type": "application/json"}


class WebSockets:
    """Answers GET /rpc."""

    def __init__(
        self,
        context: Context,
        rpc: Rpc,
        hub: EventHub,
        performing: Performing,
        admit: Callable[[web.BaseRequest], Caller],
    ) -> None:
        """admit is the door's (Door.admit)."""
        self._context = context
        self._rpc = rpc
        self._hub = hub
        self._performing = performing
        self._admit = admit
        self._sessions: set[SocketSession] = set()
        self._is_ending = False

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._sessions)

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """Upgrade, and serve the socket until its end."""
        socket = web.WebSocketResponse(
            timeout=_CLOSING_SECONDS,
            heartbeat=HEARTBEAT_SECONDS,
            compress=False,
            max_msg_size=self._context.settings.max_body_bytes,
        )
        if not socket.can_prepare(request).ok:
            return _refusal(
                HTTPStatus.UPGRADE_REQUIRED,
                "GET /rpc is for WebSockets (RFC 6455, version 13): send Upgrade: websocket. Calls are POSTed.",
                {"Upgrade": "websocket", "Connection": "Upgrade"},
            )
        if self._is_ending or len(self._sessions) >= self._context.settings.max_sockets:
            return _refusal(HTTPStatus.SERVICE_UNAVAILABLE, "pfdcm has too many WebSockets open; try again later.")
        socket.headers["Server"] = "pfdcm"
        socket.headers[HEADER] = current_request_id()
        await socket.prepare(request)
        admit = partial(self._admit, request)
        session = SocketSession(socket, admit, self._context, self._rpc, self._hub, self._performing)
        self._sessions.add(session)
        try:
            await session.run()
        finally:
            self._sessions.discard(session)
        return socket

    async def end(self, grace_seconds: float) -> None:
        """Open no more, let what is under way end for up to grace_seconds, and close all."""
        self._is_ending = True
        await asyncio.gather(*(session.end(grace_seconds) for session in tuple(self._sessions)))


def _refusal(status: HTTPStatus, reason: str, headers: dict[str, str] | None = None) -> web.Response:
    body = encode_error(error_of(MessageFault(reason), None))
    return web.Response(status=status, body=body, headers={**_JSON, **(headers or {})})
