"""The upper layer's state machine, acceptor's rows, as one table. No I/O.

Source: DICOM PS3.8 section 9.2: states of Tables 9-1 to 9-5, events of 9.2.2, actions of Tables 9-6 to 9-9, and
Table 9-10, which `TABLE` is. Left out: the requestor's states (4 and 5; 9 and 11, the requestor's side of a release
collision) and what only leads to them.
"""

from __future__ import annotations

from enum import Enum, IntEnum


class State(IntEnum):
    """Named by their numbers in the standard."""

    IDLE = 1
    AWAITING_ASSOCIATE_RQ = 2
    AWAITING_LOCAL_ASSOCIATE_RESPONSE = 3
    DATA_TRANSFER = 6
    AWAITING_RELEASE_RP = 7
    AWAITING_LOCAL_RELEASE_RESPONSE = 8
    COLLISION_AWAITING_RELEASE_RP = 10
    COLLISION_AWAITING_LOCAL_RELEASE_RESPONSE = 12
    AWAITING_CLOSE = 13


class Event(IntEnum):
    """Named by their numbers in the standard."""

    ASSOCIATE_AC = 3
    ASSOCIATE_RJ = 4
    CONNECTED = 5
    ASSOCIATE_RQ = 6
    LOCAL_ACCEPT = 7
    LOCAL_REJECT = 8
    LOCAL_DATA = 9
    DATA = 10
    LOCAL_RELEASE_REQUEST = 11
    RELEASE_RQ = 12
    RELEASE_RP = 13
    LOCAL_RELEASE_RESPONSE = 14
    LOCAL_ABORT = 15
    ABORT = 16
    CLOSED = 17
    ARTIM_EXPIRED = 18
    INVALID_PDU = 19


class Action(Enum):
    """What is done on the way to the next state; in brackets the actions of the standard that it stands for."""

    START_ARTIM = "AE-5"
    NEGOTIATE = "AE-6"
    SEND_ACCEPT = "AE-7"
    SEND_REJECT = "AE-8"
    SEND_DATA = "DT-1"
    TAKE_DATA = "DT-2"
    SEND_RELEASE_RQ = "AR-1"
    ANSWER_RELEASE = "AR-2"
    CONFIRM_RELEASE = "AR-3"
    SEND_RELEASE_RP = "AR-4"
    STOP_ARTIM = "AR-5"
    TAKE_LATE_DATA = "AR-6"
    SEND_LATE_DATA = "AR-7"
    NOTE_COLLISION = "AR-8"
    ANSWER_COLLISION = "AR-10"
    ABORT_AS_USER = "AA-1"
    CLOSE = "AA-2"
    TAKE_ABORT = "AA-3"
    LOSE_CONNECTION = "AA-4"
    FORGET_CONNECTION = "AA-5"
    IGNORE = "AA-6"
    ABORT_AGAIN = "AA-7"
    ABORT_AS_PROVIDER = "AA-8"


_ESTABLISHED = (
    State.DATA_TRANSFER,
    State.AWAITING_RELEASE_RP,
    State.AWAITING_LOCAL_RELEASE_RESPONSE,
    State.COLLISION_AWAITING_RELEASE_RP,
    State.COLLISION_AWAITING_LOCAL_RELEASE_RESPONSE,
)
_ANSWERING = (State.AWAITING_LOCAL_ASSOCIATE_RESPONSE, *_ESTABLISHED)
_PEER_PDUS = (
    Event.ASSOCIATE_AC,
    Event.ASSOCIATE_RJ,
    Event.ASSOCIATE_RQ,
    Event.DATA,
    Event.RELEASE_RQ,
    Event.RELEASE_RP,
    Event.INVALID_PDU,
)

Transition = tuple[Action, State]


def _table() -> dict[tuple[Event, State], Transition]:
    table: dict[tuple[Event, State], Transition] = {}
    # What a PDU does where it is not expected; the rows below overwrite where it is.
    for event in _PEER_PDUS:
        table[event, State.AWAITING_ASSOCIATE_RQ] = (Action.ABORT_AS_USER, State.AWAITING_CLOSE)
        for state in _ANSWERING:
            table[event, state] = (Action.ABORT_AS_PROVIDER, State.AWAITING_CLOSE)
        table[event, State.AWAITING_CLOSE] = (Action.IGNORE, State.AWAITING_CLOSE)
    for event in (Event.ASSOCIATE_RQ, Event.INVALID_PDU):
        table[event, State.AWAITING_CLOSE] = (Action.ABORT_AGAIN, State.AWAITING_CLOSE)
    for state in _ANSWERING:
        table[Event.LOCAL_ABORT, state] = (Action.ABORT_AS_USER, State.AWAITING_CLOSE)
        table[Event.ABORT, state] = (Action.TAKE_ABORT, State.IDLE)
        table[Event.CLOSED, state] = (Action.LOSE_CONNECTION, State.IDLE)
    for state in (State.AWAITING_ASSOCIATE_RQ, State.AWAITING_CLOSE):
        table[Event.ABORT, state] = (Action.CLOSE, State.IDLE)
        table[Event.ARTIM_EXPIRED, state] = (Action.CLOSE, State.IDLE)
    table[Event.CLOSED, State.AWAITING_ASSOCIATE_RQ] = (Action.FORGET_CONNECTION, State.IDLE)
    table[Event.CLOSED, State.AWAITING_CLOSE] = (Action.STOP_ARTIM, State.IDLE)

    table[Event.CONNECTED, State.IDLE] = (Action.START_ARTIM, State.AWAITING_ASSOCIATE_RQ)
    table[Event.ASSOCIATE_RQ, State.AWAITING_ASSOCIATE_RQ] = (
        Action.NEGOTIATE,
        State.AWAITING_LOCAL_ASSOCIATE_RESPONSE,
    )
    table[Event.LOCAL_ACCEPT, State.AWAITING_LOCAL_ASSOCIATE_RESPONSE] = (Action.SEND_ACCEPT, State.DATA_TRANSFER)
    table[Event.LOCAL_REJECT, State.AWAITING_LOCAL_ASSOCIATE_RESPONSE] = (Action.SEND_REJECT, State.AWAITING_CLOSE)
    table[Event.LOCAL_DATA, State.DATA_TRANSFER] = (Action.SEND_DATA, State.DATA_TRANSFER)
    table[Event.DATA, State.DATA_TRANSFER] = (Action.TAKE_DATA, State.DATA_TRANSFER)
    table[Event.LOCAL_RELEASE_REQUEST, State.DATA_TRANSFER] = (Action.SEND_RELEASE_RQ, State.AWAITING_RELEASE_RP)
    table[Event.RELEASE_RQ, State.DATA_TRANSFER] = (Action.ANSWER_RELEASE, State.AWAITING_LOCAL_RELEASE_RESPONSE)
    table[Event.DATA, State.AWAITING_RELEASE_RP] = (Action.TAKE_LATE_DATA, State.AWAITING_RELEASE_RP)
    table[Event.RELEASE_RP, State.AWAITING_RELEASE_RP] = (Action.CONFIRM_RELEASE, State.IDLE)
    table[Event.RELEASE_RQ, State.AWAITING_RELEASE_RP] = (Action.NOTE_COLLISION, State.COLLISION_AWAITING_RELEASE_RP)
    table[Event.LOCAL_DATA, State.AWAITING_LOCAL_RELEASE_RESPONSE] = (
        Action.SEND_LATE_DATA,
        State.AWAITING_LOCAL_RELEASE_RESPONSE,
    )
    table[Event.RELEASE_RP, State.COLLISION_AWAITING_RELEASE_RP] = (
        Action.ANSWER_COLLISION,
        State.COLLISION_AWAITING_LOCAL_RELEASE_RESPONSE,
    )
    for state in (State.AWAITING_LOCAL_RELEASE_RESPONSE, State.COLLISION_AWAITING_LOCAL_RELEASE_RESPONSE):
        table[Event.LOCAL_RELEASE_RESPONSE, state] = (Action.SEND_RELEASE_RP, State.AWAITING_CLOSE)
    return table


TABLE = _table()
