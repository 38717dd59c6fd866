"""The HTTP server: any path, POST; bytes in, bytes out, and every request answered, whatever is wrong with it.

With --httpResponse a reply is an HTTP response whose body begins with a second header; without it, the bare JSON and
no status line at all, as HTTP/0.9 had it, then the end of the connection. The status is 200 for faults too: callers
look at the JSON alone. Only what is not HTTP at all gets 400.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import re
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from pfdcmd.actions.context import Reply
from pfdcmd.dispatch import fault_reply, internal_error_reply
from pfdcmd.edge.httpconnection import Connection, Refusal, bare, framed
from pfdcmd.errors import Fault, LocalError, MessageFault, MessageTooLarge
from pfdcmd.settings import Settings
from pfdcmd.wire.pfdialect import Call, decode_message, encode_reply

_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,1024}\Z")
_PREFLIGHT_SECONDS = "86400"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BACKLOG = 1024

_log = logging.getLogger(__name__)


class HttpServer:
    """Listens, reads messages, has them answered, and writes the replies."""

    def __init__(
        self, settings: Settings, answer: Callable[[Call], Awaitable[Reply]], answered: Callable[[], None]
    ) -> None:
        """answer does what a call asks and never raises but on cancellation; answered is told of each POST's end."""
        self._settings = settings
        self._answer = answer
        self._answered = answered
        self._numbers = itertools.count(1)
        self._performing: set[asyncio.Task[Any]] = set()
        self._ended: set[asyncio.Task[Any]] = set()
        self._connections: set[Connection | Refusal] = set()
        self._listening: asyncio.Server | None = None
        self._http: web.Server | None = None

    async def start(self) -> tuple[str, int]:
        """Open the port. Returns: address and port. Raises: OSError: it cannot be opened."""
        self._http = web.Server(self._respond, handler_cancellation=True)
        self._listening = await asyncio.get_running_loop().create_server(
            self._connection, self._settings.ip_self, self._settings.port_self, backlog=_BACKLOG
        )
        host, port = self._listening.sockets[0].getsockname()[:2]
        return host, port

    async def stop(self, grace_seconds: float) -> None:
        """Close the port, let actions end for up to grace_seconds, cancel the rest (they are told), close all."""
        if self._listening is not None:
            self._listening.close()
        if self._performing:
            await asyncio.wait(self._performing, timeout=grace_seconds)
        for task in self._performing:
            self._ended.add(task)
            task.cancel()
        if self._http is not None:
            await self._http.shutdown(timeout=1.0)

    def _connection(self) -> asyncio.Protocol:
        """The protocol of a new connection; beyond max_connections, one that says so and closes."""
        if self._http is None:
            raise LocalError("a connection before the server has started")
        if len(self._connections) < self._settings.max_connections:
            return Connection(
                self._http,
                self._connections,
                self._broken,
                self._settings.request_seconds,
            )
        busy = MessageFault("pfdcm has too many connections open; try again later.")
        return Refusal(self._connections, self._encode(fault_reply(busy)), is_bare=not self._settings.http_response)

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return _preflight(request)
        number, started = next(self._numbers), time.monotonic()
        action = "-"
        try:
            if request.method != "POST":
                raise MessageFault("Messages are sent by POST.")
            call = decode_message(await self._read(request), max_nesting=self._settings.max_nesting)
            # A name that is not in the table is whatever the caller wrote: it is logged escaped and cut.
            action = call.action[:40]
            reply = await self._perform(call)
        except Fault as fault:
            reply = fault_reply(fault)
        except asyncio.CancelledError:
            _log.info("call %d: %s, the caller went away", number, action)
            raise
        response = self._response(reply)
        if not request.content.is_eof():
            response.force_close()
        milliseconds = (time.monotonic() - started) * 1000
        _log.info("call %d: %s, %.1f ms, status %s", number, action, milliseconds, reply.get("status"))
        if request.method == "POST":
            self._answered()
        return response

    async def _read(self, request: web.BaseRequest) -> bytes:
        """The body. Raises: MessageTooLarge: as soon as that is known. MessageFault: it is late, or breaks off."""
        limit = self._settings.max_body_bytes
        too_large = MessageTooLarge(f"The message is too large: at most {limit} bytes are taken.")
        if (request.content_length or 0) > limit:
            raise too_large
        # A bare reply has no place for an interim response: there the caller sends after its own short wait.
        if self._settings.http_response and request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(_CONTINUE)
            request.writer.output_size = 0
        body = bytearray()
        try:
            async with asyncio.timeout(self._settings.request_seconds):
                async for chunk in request.content.iter_any():
                    body += chunk
                    if len(body) > limit:
                        raise too_large
        except TimeoutError as error:
            seconds = self._settings.request_seconds
            raise MessageFault(f"The message was not sent whole within {seconds:g} seconds.") from error
        except web.RequestPayloadError as error:
            raise MessageFault("The message's HTTP body is malformed or breaks off.") from error
        return bytes(body)

    async def _perform(self, call: Call) -> Reply:
        """Have the call answered; a caller who goes away cancels the action, the end of pfdcm answers for it."""
        own = asyncio.current_task()
        if own is None:
            raise LocalError("a request outside of a task")
        self._performing.add(own)
        try:
            return await self._answer(call)
        except asyncio.CancelledError:
            if own not in self._ended:
                raise
            own.uncancel()
            raise MessageFault("pfdcm is shutting down.") from None
        finally:
            self._performing.discard(own)

    def _response(self, reply: Reply) -> web.Response:
        try:
            body = self._encode(reply)
        except LocalError as error:
            body = self._encode(internal_error_reply(error))
        return framed(body) if self._settings.http_response else bare(body)

    def _encode(self, reply: Reply) -> bytes:
        return encode_reply(reply, double_header=self._settings.http_response)

    def _broken(self, reason: str) -> web.Response:
        """The answer to what is not HTTP."""
        response = self._response(fault_reply(MessageFault(f"This is not an HTTP request: {reason}")))
        response.set_status(HTTPStatus.BAD_REQUEST)
        return response


def _preflight(request: web.BaseRequest) -> web.Response:
    """What a browser asks before it lets a page send: yes, from anywhere, with the headers that it names.

    Source: Fetch standard, section 3.2 (CORS protocol).
    """
    asked = request.headers.get("Access-Control-Request-Headers", "")
    return web.Response(
        status=HTTPStatus.NO_CONTENT,
        headers={
            "Server": "pfdcm",
            "Access-Control-Allow-Origin": "*",
            "Access-Control-Allow-Methods": "POST, OPTIONS",
            "Access-Control-Allow-Headers": asked if _HEADER_NAMES.match(asked) else "*",
            "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
        },
    )
