"""The old dialect over HTTP: a message in, its reply out, in the framing that pfdcm was started with.

With --httpResponse a reply is an HTTP response whose body begins with a second header; without it, the bare JSON and
no status line at all, as HTTP/0.9 had it, then the end of the connection. The status is 200 for faults too: callers
look at the JSON alone. Only what is not HTTP at all gets 400, and a refusal its own (edge.http.refusals).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from pfdcmd.actions.caller import Caller
from pfdcmd.actions.context import Reply
from pfdcmd.dispatch import fault_reply, internal_error_reply
from pfdcmd.edge.http.body import read_body
from pfdcmd.edge.http.connection import bare, framed
from pfdcmd.edge.http.door import ANY_ORIGIN, CALLER, parse_origins
from pfdcmd.edge.http.performing import Performing
from pfdcmd.edge.http.refusals import mark
from pfdcmd.errors import AccessRefused, Fault, LocalError, MessageFault
from pfdcmd.settings import Settings
from pfdcmd.wire.pfdialect import Call, decode_message, encode_reply

_log = logging.getLogger(__name__)


class OldDialect:
    """Answers messages."""

    def __init__(
        self, settings: Settings, answer: Callable[[Call, Caller], Awaitable[Reply]], performing: Performing
    ) -> None:
        """answer does what a call asks, for whom; it raises AccessRefused where that caller may not, and else only on
        cancellation."""
        self._settings = settings
        self._origin = ANY_ORIGIN if ANY_ORIGIN in parse_origins(settings.allowed_origins) else ""
        self._answer = answer
        self._performing = performing
        self._numbers = itertools.count(1)

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """Any path, any content type; always a reply."""
        number, started = next(self._numbers), time.monotonic()
        action = "-"
        try:
            if request.method != "POST":
                raise MessageFault("Messages are sent by POST.")
            body = await read_body(request, self._settings, may_continue=self._settings.http_response)
            call = decode_message(body, max_nesting=self._settings.max_nesting)
            # A name that is not in the table is whatever the caller wrote: it is logged escaped and cut.
            action = call.action[:40]
            reply = await self._performing.perform(self._answer(call, request[CALLER]))
        except AccessRefused as fault:
            _log.info("call %d: %s, refused: %s", number, action, type(fault).__name__)
            return self.refused(fault)
        except Fault as fault:
            reply = fault_reply(fault)
        except asyncio.CancelledError:
            _log.info("call %d: %s, the caller went away", number, action)
            raise
        response = self._response(reply)
        milliseconds = (time.monotonic() - started) * 1000
        status = reply.get("status")
        fields = {"call": number, "action": action, "milliseconds": round(milliseconds, 1), "status": status}
        _log.info("call %d: %s, %.1f ms, status %s", number, action, milliseconds, status, extra={"fields": fields})
        return response

    def refused(self, fault: AccessRefused) -> web.Response:
        """The answer to who may not: a reply as all others, and its status."""
        return mark(self._response(fault_reply(fault)), fault)

    def refuse(self, fault: Fault) -> bytes:
        """The fault's reply, for who is not heard."""
        return self._encode(fault_reply(fault))

    def broken(self, reason: str) -> web.Response:
        """The answer to what is not HTTP."""
        response = self._response(fault_reply(MessageFault(f"This is not an HTTP request: {reason}")))
        response.set_status(HTTPStatus.BAD_REQUEST)
        return response

    def _response(self, reply: Reply) -> web.Response:
        try:
            body = self._encode(reply)
        except LocalError as error:
            body = self._encode(internal_error_reply(error))
        return framed(body, self._origin) if self._settings.http_response else bare(body)

    def _encode(self, reply: Reply) -> bytes:
        return encode_reply(reply, double_header=self._settings.http_response)
