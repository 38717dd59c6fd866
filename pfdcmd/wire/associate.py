"""An association as it is asked for, and what may be answered: bytes to values and back, no network.

Only what an examination needs is here: which presentation contexts are accepted, who answers, why it is refused.
Source: DICOM PS3.8 section 9.3.2 (A-ASSOCIATE-RQ), 9.3.3 (-AC), 9.3.4 (-RJ); Annex D.1 for the maximum length.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from pfdcmd.errors import PeerFailed
from pfdcmd.pacs.negotiation import Acceptance, Rejection

PDU_HEADER_BYTES = 6
MAX_ANSWER_BYTES = 256 * 1024
"""128 presentation contexts and the user information are some 10 KiB."""
RELEASE_REQUEST = b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00"
"""PS3.8 Table 9-24."""

_APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
_IMPLICIT_VR_LITTLE_ENDIAN = b"1.2.840.10008.1.2"
_IMPLEMENTATION = b"1.2.826.0.1.3680043.9.3811.3"
_MAX_PDU_BYTES = 16_384

_REQUEST, _ACCEPT, _REJECT, _ABORT = 1, 2, 3, 7
_FIXED_BYTES = 68
_CONTEXT_ITEM, _USER_ITEM, _VERSION_ITEM = 0x21, 0x50, 0x55


def encode_request(called_ae: str, calling_ae: str, abstract_syntaxes: Sequence[str]) -> bytes:
    """An A-ASSOCIATE-RQ that offers each abstract syntax in Implicit VR Little Endian, ids 1, 3, 5, ..."""
    contexts = b"".join(
        _item(
            0x20,
            bytes([2 * index + 1, 0, 0, 0])
            + _item(0x30, syntax.encode("ascii"))
            + _item(0x40, _IMPLICIT_VR_LITTLE_ENDIAN),
        )
        for index, syntax in enumerate(abstract_syntaxes)
    )
    user = _item(0x51, struct.pack(">I", _MAX_PDU_BYTES)) + _item(0x52, _IMPLEMENTATION)
    body = (
        struct.pack(">HH16s16s32x", 1, 0, _title(called_ae), _title(calling_ae))
        + _item(0x10, _APPLICATION_CONTEXT)
        + contexts
        + _item(_USER_ITEM, user)
    )
    return struct.pack(">BBI", _REQUEST, 0, len(body)) + body


def decode_header(header: bytes) -> int:
    """How many bytes follow. Raises: PeerFailed: what answers does not speak DICOM."""
    kind, _, length = struct.unpack(">BBI", header)
    if kind not in (_ACCEPT, _REJECT, _ABORT) or length > MAX_ANSWER_BYTES:
        raise PeerFailed("What answers there does not speak DICOM.")
    return int(length)


def decode_answer(kind: int, body: bytes, abstract_syntaxes: Sequence[str]) -> Acceptance | Rejection | None:
    """What was answered to the request of these syntaxes; None when it was aborted.

    Args: kind: the PDU's type, its first byte; body: the PDU after its header.
    Raises: PeerFailed: it is cut off, or no such answer.
    """
    try:
        if kind == _ABORT:
            return None
        if kind == _REJECT:
            _, result, source, reason = struct.unpack_from(">BBBB", body)
            return Rejection(result, source, reason)
        if kind == _ACCEPT:
            return _decode_acceptance(body, abstract_syntaxes)
    except (struct.error, IndexError):
        pass
    raise PeerFailed("The answer to the association request cannot be read.")


def _decode_acceptance(body: bytes, abstract_syntaxes: Sequence[str]) -> Acceptance:
    accepted: list[str] = []
    version = ""
    for kind, item in _items(body[_FIXED_BYTES:]):
        if kind == _CONTEXT_ITEM:
            context_id, result = item[0], item[2]
            index = (context_id - 1) // 2
            if result == 0 and context_id % 2 and index < len(abstract_syntaxes):
                accepted.append(abstract_syntaxes[index])
        elif kind == _USER_ITEM:
            names = [value for sub, value in _items(item) if sub == _VERSION_ITEM]
            version = names[0].decode("ascii", "replace").strip(" \0") if names else ""
    return Acceptance(tuple(accepted), version)


def _items(body: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset < len(body):
        kind, length = struct.unpack_from(">BxH", body, offset)
        item = body[offset + 4 : offset + 4 + length]
        if len(item) < length:
            raise IndexError(offset)
        yield kind, item
        offset += 4 + length


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def _title(ae_title: str) -> bytes:
    return ae_title.encode("ascii").ljust(16)
