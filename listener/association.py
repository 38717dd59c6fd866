"""One association, acceptor's side: bytes in, events out; no sockets, no clock, no files.

Feed what arrives to `receive` and act on each event before asking for the next; send what `take_output` returns; run
the ARTIM timer while `is_artim_running`; close the connection when `is_over`.

Source: DICOM PS3.8 sections 7 and 9.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from listener import pdu
from listener.admission import Refusal, TitleRules
from listener.contexts import Accepted, Rejected, Served, reject, titles
from listener.errors import PeerError
from listener.messages import Answer, Echoed, MessageReader, Refused, StoreBegun, StoreData, StoreEnded
from listener.negotiation import negotiate
from listener.pdu import ControlPdu, Fragment, PduReader
from listener.states import TABLE, Action, Event, State


@dataclass(frozen=True)
class Opened:
    """The association is established."""

    called_ae: str
    calling_ae: str


@dataclass(frozen=True)
class Ended:
    """The association is over, whether or not the connection is; `outcome` is for logs."""

    outcome: str


AssociationEvent = Opened | Ended | StoreBegun | StoreData | StoreEnded | Echoed | Refused

_EVENT_OF_PDU = {
    pdu.A_ASSOCIATE_RQ: Event.ASSOCIATE_RQ,
    pdu.A_ASSOCIATE_AC: Event.ASSOCIATE_AC,
    pdu.A_ASSOCIATE_RJ: Event.ASSOCIATE_RJ,
    pdu.A_RELEASE_RQ: Event.RELEASE_RQ,
    pdu.A_RELEASE_RP: Event.RELEASE_RP,
    pdu.A_ABORT: Event.ABORT,
}


_BEFORE_ASSOCIATION = frozenset({State.AWAITING_ASSOCIATE_RQ, State.AWAITING_LOCAL_ASSOCIATE_RESPONSE})
_ANY_TITLES = TitleRules()
_EVERYTHING = Served()


class Association:
    """The protocol of one connection, from its opening to its end.

    `is_foreign`: what came instead of an A-ASSOCIATE-RQ is none, or is not even DICOM.
    """

    def __init__(
        self,
        max_pdu_bytes: int,
        *,
        title_rules: TitleRules = _ANY_TITLES,
        served: Served = _EVERYTHING,
        refusal: Refusal | None = None,
    ) -> None:
        """refusal: why the peer will not be let in, whatever it proposes."""
        self._max_pdu_bytes = max_pdu_bytes
        self._title_rules = title_rules
        self._served = served
        self.refusal = refusal
        self._pdus = PduReader(max_pdu_bytes)
        self._messages = MessageReader({})
        self._peer_max_pdu_bytes = 0
        self._output = bytearray()
        self._is_reader_lost = False
        self._has_ended = False
        self._state = State.IDLE
        self._move(Event.CONNECTED)
        self.called_ae = ""
        self.calling_ae = ""
        self.is_foreign = False

    @property
    def state(self) -> State:
        """The state by PS3.8 section 9.2."""
        return self._state

    @property
    def is_artim_running(self) -> bool:
        """Whether the peer has only so long to act; the caller keeps that time."""
        return self._state in (State.AWAITING_ASSOCIATE_RQ, State.AWAITING_CLOSE)

    @property
    def is_over(self) -> bool:
        """Nothing more is to be sent or received: close the connection."""
        return self._state is State.IDLE

    def take_output(self) -> bytes:
        """What is to be sent, once."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def receive(self, data: memoryview) -> Iterator[AssociationEvent]:
        """Take bytes from the connection, in pieces of any size."""
        if self._is_reader_lost:
            return
        try:
            for each in self._pdus.feed(data):
                if isinstance(each, Fragment):
                    yield from self._take_fragment(each)
                else:
                    yield from self._take_control(each)
                if self._state in (State.IDLE, State.AWAITING_CLOSE) and self._is_reader_lost:
                    return
        except PeerError as error:
            self._is_reader_lost = True
            self.is_foreign = self._state in _BEFORE_ASSOCIATION
            yield from self._fail(Event.INVALID_PDU, error)

    def respond(self, status: int) -> None:
        """Answer the C-STORE whose StoreEnded was the last event."""
        self._send(self._messages.answer(status))

    def request_release(self) -> None:
        """Ask the peer to release; what it still sends is taken. Only between messages of an open association."""
        self._move(Event.LOCAL_RELEASE_REQUEST)
        self._output += pdu.encode_release_request()

    def abort(self, why: str) -> Iterator[Ended]:
        """End the association from our side; without one, nothing is sent."""
        if (Event.LOCAL_ABORT, self._state) in TABLE:
            self._move(Event.LOCAL_ABORT)
            self._output += pdu.encode_abort(pdu.SERVICE_USER, 0)
        else:
            self._state = State.IDLE
        self._is_reader_lost = True
        yield from self._end(f"aborted: {why}")

    def expire_artim(self) -> Iterator[Ended]:
        """The peer took too long to propose an association, or to close the connection after one."""
        self._move(Event.ARTIM_EXPIRED)
        yield from self._end("no A-ASSOCIATE-RQ in time")

    def lose_connection(self) -> Iterator[Ended]:
        """The connection was closed or broke."""
        was_open = not self.is_artim_running
        if not self.is_over:
            self._move(Event.CLOSED)
        yield from self._end("connection lost" if was_open else "connection closed without an association")

    def _move(self, event: Event) -> Action:
        action, self._state = TABLE[event, self._state]
        return action

    def _end(self, outcome: str) -> Iterator[Ended]:
        if not self._has_ended:
            self._has_ended = True
            yield Ended(outcome)

    def _take_fragment(self, fragment: Fragment) -> Iterator[AssociationEvent]:
        action = self._move(Event.DATA)
        if action not in (Action.TAKE_DATA, Action.TAKE_LATE_DATA):
            yield from self._refuse_pdu(action, PeerError("P-DATA-TF where none may be", pdu.UNEXPECTED_PDU))
            return
        for event in self._messages.feed(fragment):
            if isinstance(event, Answer):
                self._send(event)
            else:
                yield event

    def _send(self, answer: Answer) -> None:
        self._output += pdu.encode_command(answer.context_id, answer.command_set, self._peer_max_pdu_bytes)

    def _take_control(self, control: ControlPdu) -> Iterator[AssociationEvent]:
        action = self._move(_EVENT_OF_PDU[control.type])
        if action is Action.NEGOTIATE:
            yield from self._negotiate(control.body)
        elif action is Action.ANSWER_RELEASE:
            if not self._messages.is_between_messages:
                raise PeerError("A-RELEASE-RQ within a message", pdu.UNEXPECTED_PDU)
            yield from self._release()
        elif action is Action.ANSWER_COLLISION:
            yield from self._release()
        elif action is Action.CONFIRM_RELEASE:
            self._is_reader_lost = True
            yield from self._end("released")
        elif action in (Action.TAKE_ABORT, Action.CLOSE):
            self._is_reader_lost = True
            yield from self._end("aborted by the peer")
        elif action in (Action.ABORT_AS_USER, Action.ABORT_AS_PROVIDER, Action.ABORT_AGAIN):
            name = f"PDU of type {control.type:#04x} where it may not be"
            yield from self._refuse_pdu(action, PeerError(name, pdu.UNEXPECTED_PDU))

    def _negotiate(self, body: bytes) -> Iterator[AssociationEvent]:
        # before anything is decoded: who is refused costs next to nothing
        self.refusal = self.refusal or self._title_rules.judge(*titles(body))
        answer: Accepted | Rejected = (
            reject(body, self.refusal) if self.refusal else negotiate(body, self._max_pdu_bytes, self._served)
        )
        self.called_ae, self.calling_ae = answer.called_ae, answer.calling_ae
        self._output += answer.answer
        if isinstance(answer, Rejected):
            self._move(Event.LOCAL_REJECT)
            yield from self._end(f"rejected: {answer.why}")
            return
        self._move(Event.LOCAL_ACCEPT)
        self._messages = MessageReader(answer.contexts)
        self._peer_max_pdu_bytes = answer.peer_max_pdu_bytes
        yield Opened(answer.called_ae, answer.calling_ae)

    def _release(self) -> Iterator[AssociationEvent]:
        self._move(Event.LOCAL_RELEASE_RESPONSE)
        self._output += pdu.encode_release_response()
        yield from self._end("released")

    def _fail(self, event: Event, error: PeerError) -> Iterator[Ended]:
        yield from self._refuse_pdu(self._move(event), error)

    def _refuse_pdu(self, action: Action, error: PeerError) -> Iterator[Ended]:
        """Send the A-ABORT that the action wants; from then on whatever comes is dropped unread."""
        if action is Action.IGNORE:
            return
        source = pdu.SERVICE_PROVIDER if action is Action.ABORT_AS_PROVIDER else pdu.SERVICE_USER
        self._output += pdu.encode_abort(source, error.abort_reason)
        self._is_reader_lost = True
        yield from self._end(f"aborted: {error}")
