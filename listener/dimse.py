"""DIMSE command sets: bytes <-> values. No I/O.

A command set is a run of group 0000 elements in implicit VR little endian: tag (u16 group, u16 element), u32 length,
value; whatever transfer syntax the presentation context has.

Source: DICOM PS3.7 sections 6.3.1, 9.3, Annexes C and E.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from listener.errors import PeerError

C_STORE_RQ = 0x0001
C_ECHO_RQ = 0x0030
C_CANCEL_RQ = 0x0FFF
RESPONSE = 0x8000
NO_DATA_SET = 0x0101

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
SOP_CLASS_NOT_SUPPORTED = 0x0122
UNRECOGNIZED_OPERATION = 0x0211
OUT_OF_RESOURCES = 0xA700
DATA_SET_DOES_NOT_MATCH = 0xA900
CANNOT_UNDERSTAND = 0xC000

# Generous: the longest legal C-STORE-RQ is under 400 bytes.
MAX_COMMAND_BYTES = 16_384

_AFFECTED_SOP_CLASS_UID = 0x0002
_REQUESTED_SOP_CLASS_UID = 0x0003
_COMMAND_FIELD = 0x0100
_MESSAGE_ID = 0x0110
_MESSAGE_ID_RESPONDED_TO = 0x0120
_DATA_SET_TYPE = 0x0800
_STATUS = 0x0900
_AFFECTED_SOP_INSTANCE_UID = 0x1000
_REQUESTED_SOP_INSTANCE_UID = 0x1001
_MOVE_ORIGINATOR_AE = 0x1030
_MOVE_ORIGINATOR_MESSAGE_ID = 0x1031

_ELEMENT = struct.Struct("<HHI")
_US_ELEMENT = struct.Struct("<HHIH")
_US = struct.Struct("<H")
_GROUP_LENGTH = struct.Struct("<HHII")


@dataclass(frozen=True)
class Command:
    """A request's command set; absent elements are empty, 0 or None.

    move_originator, move_originator_message_id: whose C-MOVE the image answers, and which (PS3.7 Table 9.3-1).
    """

    field: int
    message_id: int
    has_data_set: bool
    sop_class: str
    sop_instance: str
    move_originator: str = ""
    move_originator_message_id: int | None = None


def decode_command(data: bytes | bytearray) -> Command:
    """Read a whole command set.

    Raises: PeerError: an element runs past the end, is not of group 0000, or one that is required is missing.
    """
    elements: dict[int, bytes] = {}
    offset, end = 0, len(data)
    while offset < end:
        if end - offset < _ELEMENT.size:
            raise PeerError("command set: cut off within an element's header")
        group, element, length = _ELEMENT.unpack_from(data, offset)
        offset += _ELEMENT.size
        if group != 0:
            raise PeerError("command set: an element that is not of group 0000")
        if length > end - offset:
            raise PeerError("command set: an element runs past the end")
        elements[element] = bytes(data[offset : offset + length])
        offset += length
    return Command(
        field=_number(elements, _COMMAND_FIELD),
        message_id=_number(elements, _MESSAGE_ID) if _MESSAGE_ID in elements else 0,
        has_data_set=_number(elements, _DATA_SET_TYPE) != NO_DATA_SET,
        sop_class=_text(elements, _AFFECTED_SOP_CLASS_UID) or _text(elements, _REQUESTED_SOP_CLASS_UID),
        sop_instance=_text(elements, _AFFECTED_SOP_INSTANCE_UID) or _text(elements, _REQUESTED_SOP_INSTANCE_UID),
        move_originator=_text(elements, _MOVE_ORIGINATOR_AE),
        move_originator_message_id=(
            _number(elements, _MOVE_ORIGINATOR_MESSAGE_ID) if _MOVE_ORIGINATOR_MESSAGE_ID in elements else None
        ),
    )


def _number(elements: dict[int, bytes], element: int) -> int:
    value = elements.get(element, b"")
    if len(value) != _US.size:
        raise PeerError(f"command set: (0000,{element:04X}) is missing or not a US")
    number: int = _US.unpack(value)[0]
    return number


def _text(elements: dict[int, bytes], element: int) -> str:
    """A UI or AE value without its padding; bytes outside the default repertoire become replacement characters."""
    return elements.get(element, b"").rstrip(b"\0 ").lstrip(b" ").decode("ascii", "replace")


def encode_response(command: Command, status: int) -> bytes:
    """The response's command set: the request's UIDs given back, no data set.

    Source: PS3.7 Tables 9.3-2 (C-STORE-RSP) and 9.3-13 (C-ECHO-RSP).
    """
    body = b"".join(
        (
            _uid_element(_AFFECTED_SOP_CLASS_UID, command.sop_class),
            _US_ELEMENT.pack(0, _COMMAND_FIELD, 2, command.field | RESPONSE),
            _US_ELEMENT.pack(0, _MESSAGE_ID_RESPONDED_TO, 2, command.message_id),
            _US_ELEMENT.pack(0, _DATA_SET_TYPE, 2, NO_DATA_SET),
            _US_ELEMENT.pack(0, _STATUS, 2, status),
            _uid_element(_AFFECTED_SOP_INSTANCE_UID, command.sop_instance),
        )
    )
    return _GROUP_LENGTH.pack(0, 0, 4, len(body)) + body


def _uid_element(element: int, uid: str) -> bytes:
    if not uid:
        return b""
    value = uid.encode("ascii", "replace")
    value += b"\0" * (len(value) % 2)
    return _ELEMENT.pack(0, element, len(value)) + value
