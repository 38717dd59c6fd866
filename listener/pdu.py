"""PDUs: the stream of bytes cut into headers, bodies and fragments; and the PDUs that we send. No I/O.

Every PDU is: type u8, reserved u8, length u32 BE, body. A P-DATA-TF body is a run of: length u32 BE, context id u8,
control header u8, fragment. Fragments are handed on as they come, as views: neither a PDU nor an image is ever held.

Source: DICOM PS3.8 section 9.3, PS3.8 Annex E.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from listener.errors import PeerError

A_ASSOCIATE_RQ = 0x01
A_ASSOCIATE_AC = 0x02
A_ASSOCIATE_RJ = 0x03
P_DATA_TF = 0x04
A_RELEASE_RQ = 0x05
A_RELEASE_RP = 0x06
A_ABORT = 0x07

# A-ABORT reasons of the service provider, PS3.8 Table 9-26.
UNRECOGNIZED_PDU = 1
UNEXPECTED_PDU = 2
INVALID_PARAMETER = 6
SERVICE_USER = 0
SERVICE_PROVIDER = 2

# A proposal with 128 contexts of every transfer syntax stays under 300 KB.
MAX_CONTROL_PDU_BYTES = 524_288
_FIXED_LENGTH = {A_ASSOCIATE_RJ: 4, A_RELEASE_RQ: 4, A_RELEASE_RP: 4, A_ABORT: 4}

HEADER = struct.Struct(">BxI")
_PDV_HEADER = struct.Struct(">IBB")
_HEADER_BYTES = 6
_IS_COMMAND = 0x01
_IS_LAST = 0x02


@dataclass(frozen=True)
class ControlPdu:
    """A whole PDU of any type but P-DATA-TF; `body` is what follows the 6-byte header."""

    type: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Fragment:
    """Some bytes of a message, a view into what was received; `is_last` only with the message's very last ones."""

    context_id: int
    is_command: bool
    is_last: bool
    data: memoryview


class PduReader:
    """Cuts a stream into PDUs. Feed it whatever arrives, in pieces of any size.

    A PDU that is too long, or an item that runs past its PDU, is the peer's fault and ends the stream: PeerError.
    """

    def __init__(self, max_pdu_bytes: int) -> None:
        self._max_pdu_bytes = max_pdu_bytes
        self._header = bytearray()
        self._control_type = 0
        self._control_body = bytearray()
        self._pdu_left = 0
        self._fragment_left = 0
        self._context_id = 0
        self._control_header = 0

    def feed(self, data: memoryview) -> Iterator[ControlPdu | Fragment]:
        """Yield what `data` completes, in order; fragments are views into `data`.

        The caller takes all that is yielded before it reuses the memory under `data`.
        """
        offset, end = 0, len(data)
        while offset < end or (self._control_type and not self._pdu_left):
            if self._fragment_left:
                size = min(self._fragment_left, end - offset)
                self._fragment_left -= size
                self._pdu_left -= size
                yield self._fragment(data[offset : offset + size])
                offset += size
            elif self._control_type:
                size = min(self._pdu_left, end - offset)
                self._control_body += data[offset : offset + size]
                self._pdu_left -= size
                offset += size
                if not self._pdu_left:
                    yield self._take_control_pdu()
            else:
                # A header: the PDU's, or within P-DATA-TF the next item's. Both are six bytes.
                if not self._header and end - offset >= _HEADER_BYTES:
                    header: bytes | memoryview = data[offset : offset + _HEADER_BYTES]
                    offset += _HEADER_BYTES
                else:
                    size = min(_HEADER_BYTES - len(self._header), end - offset)
                    self._header += data[offset : offset + size]
                    offset += size
                    if len(self._header) < _HEADER_BYTES:
                        return
                    header = bytes(self._header)
                    self._header.clear()
                if self._pdu_left:
                    self._begin_item(header)
                    if not self._fragment_left:
                        yield self._fragment(data[offset:offset])
                else:
                    self._begin_pdu(header)

    def _begin_pdu(self, header: bytes | memoryview) -> None:
        pdu_type, length = HEADER.unpack(header)
        if pdu_type == P_DATA_TF:
            if length > self._max_pdu_bytes:
                raise PeerError(f"a P-DATA-TF of {length} bytes, more than was agreed", INVALID_PARAMETER)
            if 0 < length < _HEADER_BYTES:
                raise PeerError("a P-DATA-TF too short for an item", INVALID_PARAMETER)
        elif not A_ASSOCIATE_RQ <= pdu_type <= A_ABORT:
            raise PeerError(f"a PDU of unknown type {pdu_type:#04x}", UNRECOGNIZED_PDU)
        elif length > MAX_CONTROL_PDU_BYTES or length != _FIXED_LENGTH.get(pdu_type, length):
            raise PeerError(f"a PDU of type {pdu_type:#04x} and {length} bytes", INVALID_PARAMETER)
        else:
            self._control_type = pdu_type
        self._pdu_left = length

    def _begin_item(self, header: bytes | memoryview) -> None:
        length, self._context_id, self._control_header = _PDV_HEADER.unpack(header)
        if length < 2 or length + 4 > self._pdu_left or self._context_id % 2 == 0:
            raise PeerError("a presentation data value of wrong length or context", INVALID_PARAMETER)
        self._pdu_left -= _HEADER_BYTES
        self._fragment_left = length - 2
        if 0 < self._pdu_left - self._fragment_left < _HEADER_BYTES:
            raise PeerError("bytes left over at the end of a P-DATA-TF", INVALID_PARAMETER)

    def _fragment(self, data: memoryview) -> Fragment:
        is_last = bool(self._control_header & _IS_LAST) and not self._fragment_left
        return Fragment(self._context_id, bool(self._control_header & _IS_COMMAND), is_last, data)

    def _take_control_pdu(self) -> ControlPdu:
        pdu = ControlPdu(self._control_type, bytes(self._control_body))
        self._control_type = 0
        self._control_body.clear()
        return pdu


def encode_command(context_id: int, command_set: bytes, peer_max_pdu_bytes: int) -> bytes:
    """A command set as P-DATA-TF PDUs, none longer than the peer takes.

    Args:    peer_max_pdu_bytes: 0 when the peer named no limit; one too small for a byte of content counts as 7.
    Source:  PS3.8 section 9.3.5, Annexes D.1 and E.2.
    """
    room = max(peer_max_pdu_bytes - _HEADER_BYTES, 1) if peer_max_pdu_bytes else len(command_set)
    pieces = [command_set[start : start + room] for start in range(0, len(command_set), room)]
    pdus = []
    for index, piece in enumerate(pieces):
        control = _IS_COMMAND | (_IS_LAST if index == len(pieces) - 1 else 0)
        pdus.append(HEADER.pack(P_DATA_TF, len(piece) + _HEADER_BYTES))
        pdus.append(_PDV_HEADER.pack(len(piece) + 2, context_id, control))
        pdus.append(piece)
    return b"".join(pdus)


def encode_release_request() -> bytes:
    """PS3.8 section 9.3.6."""
    return HEADER.pack(A_RELEASE_RQ, 4) + bytes(4)


def encode_release_response() -> bytes:
    """PS3.8 section 9.3.7."""
    return HEADER.pack(A_RELEASE_RP, 4) + bytes(4)


def encode_abort(source: int, reason: int) -> bytes:
    """PS3.8 section 9.3.8. The reason means something only when the source is the service provider."""
    return HEADER.pack(A_ABORT, 4) + bytes((0, 0, source, reason if source == SERVICE_PROVIDER else 0))


def encode_reject(result: int, source: int, reason: int) -> bytes:
    """PS3.8 section 9.3.4, Table 9-21."""
    return HEADER.pack(A_ASSOCIATE_RJ, 4) + bytes((0, result, source, reason))
