"""DIMSE messages on an association: fragments in; C-STORE events out, everything else answered. No I/O.

A message is a command set, and a data set when the command says so, on one presentation context. Storage SCPs perform
one operation at a time here: no asynchronous operations window is negotiated.

Source: DICOM PS3.7 sections 6.3 and 9.1, PS3.8 Annex E, PS3.4 Annex B.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from listener import dimse
from listener.contexts import VERIFICATION, Context
from listener.dimse import Command
from listener.errors import PeerError
from listener.pdu import INVALID_PARAMETER, Fragment

_UID = re.compile(r"[0-9.]{1,64}\Z", re.ASCII)
_INVALID_SOP_INSTANCE = 0x0117
_MISTYPED_ARGUMENT = 0x0212


@dataclass(frozen=True)
class StoreBegun:
    """A C-STORE-RQ is complete; its data set follows as StoreData and StoreEnded, which wants an answer."""

    command: Command
    context: Context


@dataclass(frozen=True, slots=True)
class StoreData:
    """Bytes of the data set, a view that holds until the next bytes are received."""

    data: memoryview


@dataclass(frozen=True)
class StoreEnded:
    """The data set is complete: the caller answers before it asks for the next event."""


@dataclass(frozen=True)
class Echoed:
    """A C-ECHO was answered."""


@dataclass(frozen=True)
class Refused:
    """A request was answered with a failure by the protocol alone."""

    command: Command
    status: int


@dataclass(frozen=True)
class Answer:
    """A response to send."""

    context_id: int
    command_set: bytes


MessageEvent = StoreBegun | StoreData | StoreEnded | Echoed | Refused | Answer


class MessageReader:
    """Puts the messages of one association together again. Raises PeerError on what breaks the rules."""

    def __init__(self, contexts: Mapping[int, Context]) -> None:
        self._contexts = contexts
        self._command_bytes = bytearray()
        self._context_id = 0
        self._command: Command | None = None
        self._status = dimse.SUCCESS

    @property
    def is_between_messages(self) -> bool:
        """Whether no message has begun that has not ended."""
        return not self._context_id

    def feed(self, fragment: Fragment) -> Iterator[MessageEvent]:
        """Take one fragment, in wire order; what it completes is yielded."""
        if self._context_id and fragment.context_id != self._context_id:
            raise PeerError("a fragment of another presentation context within a message", INVALID_PARAMETER)
        if fragment.is_command != (self._command is None):
            raise PeerError("a command where a data set should be, or the other way round", INVALID_PARAMETER)
        if self._command is None:
            yield from self._feed_command(fragment)
        else:
            yield from self._feed_data_set(fragment, self._command)

    def answer(self, status: int) -> Answer:
        """The response to the C-STORE whose data set has ended."""
        if self._command is None:
            raise ValueError("no request awaits an answer")
        return Answer(self._context_id, dimse.encode_response(self._command, status))

    def _feed_command(self, fragment: Fragment) -> Iterator[MessageEvent]:
        if fragment.context_id not in self._contexts:
            raise PeerError("a presentation context that was not accepted", INVALID_PARAMETER)
        self._context_id = fragment.context_id
        self._command_bytes += fragment.data
        if len(self._command_bytes) > dimse.MAX_COMMAND_BYTES:
            raise PeerError("a command set that is too long")
        if not fragment.is_last:
            return
        command = dimse.decode_command(self._command_bytes)
        self._command_bytes.clear()
        self._command = command
        context = self._contexts[self._context_id]
        self._status = _judge(command, context)
        if command.field == dimse.C_STORE_RQ and self._status == dimse.SUCCESS:
            yield StoreBegun(command, context)
        elif not command.has_data_set:
            yield from self._end_unstored(command)

    def _feed_data_set(self, fragment: Fragment, command: Command) -> Iterator[MessageEvent]:
        is_stored = command.field == dimse.C_STORE_RQ and self._status == dimse.SUCCESS
        if is_stored and fragment.data:
            yield StoreData(fragment.data)
        if not fragment.is_last:
            return
        if is_stored:
            yield StoreEnded()
            self._forget()
        else:
            yield from self._end_unstored(command)

    def _end_unstored(self, command: Command) -> Iterator[MessageEvent]:
        if command.field != dimse.C_CANCEL_RQ:
            yield Answer(self._context_id, dimse.encode_response(command, self._status))
            if self._status != dimse.SUCCESS:
                yield Refused(command, self._status)
            else:
                yield Echoed()
        self._forget()

    def _forget(self) -> None:
        self._context_id = 0
        self._command = None
        self._status = dimse.SUCCESS


def _judge(command: Command, context: Context) -> int:
    """The status that a request gets from its command set alone."""
    if command.field & dimse.RESPONSE:
        raise PeerError("a response to a request that was never sent")
    if command.field == dimse.C_ECHO_RQ:
        return dimse.SUCCESS if context.abstract_syntax == VERIFICATION else dimse.SOP_CLASS_NOT_SUPPORTED
    if command.field != dimse.C_STORE_RQ:
        return dimse.UNRECOGNIZED_OPERATION
    if context.abstract_syntax == VERIFICATION or command.sop_class != context.abstract_syntax:
        return dimse.SOP_CLASS_NOT_SUPPORTED
    if not _UID.match(command.sop_instance):
        return _INVALID_SOP_INSTANCE
    return dimse.SUCCESS if command.has_data_set else _MISTYPED_ARGUMENT
