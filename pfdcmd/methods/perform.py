"""What a JSON-RPC text asks for, done: the table, the check, the method, the response.

No exception reaches the caller. One Rpc serves every transport. The members of a batch are done one after the other,
in their order: a caller may set a value and get it in the same batch. A notification is done like a request, and
nothing of it is answered.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, aclosing, nullcontext
from typing import Any

from jsonrpcserver.request import Request
from jsonrpcserver.response import ErrorResponse

from pfdcmd.actions.audited import DONE, UNHEARD, Entry, audited, audited_params
from pfdcmd.actions.caller import Caller, Right
from pfdcmd.actions.context import Context
from pfdcmd.dispatch import attempt, internal_fault, log_cause
from pfdcmd.errors import AccessRefused, Fault, LocalError, MessageTooLarge, ParameterFault
from pfdcmd.methods.checking import check_params
from pfdcmd.methods.method import Method, Stream
from pfdcmd.wire.jsonrpc import (
    decode_message,
    encode_error,
    encode_result,
    error_of,
    id_of,
    is_notification,
    join_batch,
    unknown_method,
)
from pfdcmd.wire.pfdialect import Call

MAX_BATCH_REPLY_BYTES = 64 * 1024 * 1024
"""Of the responses to one batch together: a hundred gets of a large tree would take more memory than there is."""

Methods = Mapping[str, Method]
Notify = Callable[[str, Mapping[str, Any]], Awaitable[None]]
"""Sends the caller a notification: its method and params. Waits while the caller does not read."""

Timing = Callable[[str], AbstractContextManager[None]]
"""Made with a method's name, entered before it is done and left after it, with the fault if there is one."""

_NONE: Methods = {}

_log = logging.getLogger(__name__)


Recording = Callable[[Caller, str], AbstractContextManager[Entry]]
"""Made with the caller and a method's name, entered before anything is done: keeps the audit."""


def _unrecorded(_caller: Caller, _name: str) -> AbstractContextManager[Entry]:
    return nullcontext(Entry())


def _untimed(_name: str) -> AbstractContextManager[None]:
    return nullcontext()


class Rpc:
    """Performs texts."""

    def __init__(
        self,
        methods: Methods,
        context: Context,
        save_since: Callable[[int], Awaitable[None]],
        timing: Timing = _untimed,
        recording: Recording = _unrecorded,
    ) -> None:
        """save_since has the tree saved if it has changed since that version. Raises: StorageFault."""
        self._methods = methods
        self._context = context
        self._save_since = save_since
        self._timing = timing
        self._recording = recording

    async def perform(
        self, text: bytes, caller: Caller, *, own: Methods = _NONE, notify: Notify | None = None
    ) -> bytes | None:
        """Do what one text asks for: a request, a notification or a batch of them.

        Args:    own: methods that only this connection has, or has in its own way. notify: where the transport can.
        Returns: the response, or None where there is nothing to answer.
        """
        settings = self._context.settings
        message = decode_message(text, max_nesting=settings.max_nesting, max_batch=settings.max_batch)
        if not message.is_batch:
            return await self._answer(message.members[0], caller, own, notify)
        responses: list[bytes] = []
        size_bytes = 0
        for member in message.members:
            if size_bytes > MAX_BATCH_REPLY_BYTES:
                response = _refuse_more(member)
            else:
                response = await self._answer(member, caller, own, notify)
            if response is not None:
                responses.append(response)
                size_bytes += len(response)
        return join_batch(responses) if responses else None

    async def _answer(
        self, member: Request | ErrorResponse, caller: Caller, own: Methods, notify: Notify | None
    ) -> bytes | None:
        if isinstance(member, ErrorResponse):
            return encode_error(member)
        method = own.get(member.method) or self._methods.get(member.method)
        response = (
            encode_error(unknown_method(member))
            if method is None
            else await self._perform(method, member, caller, notify)
        )
        return None if is_notification(member) else response

    async def _perform(self, method: Method, request: Request, caller: Caller, notify: Notify | None) -> bytes:
        try:
            with self._timing(method.name), self._recording(caller, method.name) as entry:
                result = await attempt(self._call(method, request, caller, notify, entry))
                entry.outcome = DONE
            return encode_result(result, id_of(request))
        except Fault as fault:
            return encode_error(_told(fault, request, caller))
        except LocalError as error:
            return encode_error(_told(internal_fault(error), request, caller))

    async def _call(self, method: Method, request: Request, caller: Caller, notify: Notify | None, entry: Entry) -> Any:
        """What the method gives; what it has changed in the tree is saved before its caller is told so."""
        if caller.right < method.right:
            needed, given = method.right.name.lower(), caller.right.name.lower()
            raise AccessRefused(f"{method.name} needs the right {needed}; this token has {given}.")
        params = check_params(method, request.params)
        if method.name not in UNHEARD:
            entry.details |= _audited(method, params, self._context)
        version = self._context.tree.version
        try:
            result = await method.run(params, self._context, caller)
            if isinstance(result, Stream):
                result = await _send(result, request, notify)
        finally:
            if self._context.tree.version != version:
                await self._save_since(version)
        if method.right > Right.READ:
            _log.info("%s done", method.name)
        return result


def _audited(method: Method, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    if not method.is_open:
        return audited_params(method.name, params, context)
    asked, details = audited(Call(method.name, params), context)
    return {**details, "asked": asked}


async def _send(stream: Stream, request: Request, notify: Notify | None) -> dict[str, int]:
    """Send each item as a notification, numbered from 1. Returns: how many there were."""
    async with aclosing(stream.items) as items:
        if notify is None:
            raise ParameterFault("A stream needs a WebSocket; leave stream out.", parameter="stream")
        number = 0
        async for item in items:
            number += 1
            await notify(stream.notification, {"request": id_of(request), "number": number, "item": item})
    return {"count": number}


def _told(fault: Fault, request: Request, caller: Caller) -> ErrorResponse:
    log_cause(fault)
    return error_of(fault, id_of(request), caller.request_id)


def _refuse_more(member: Request | ErrorResponse) -> bytes | None:
    if isinstance(member, ErrorResponse):
        return encode_error(member)
    if is_notification(member):
        return None
    return encode_error(error_of(MessageTooLarge("The batch has been answered with too much already."), member.id))
