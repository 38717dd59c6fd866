"""Part 10 files: the bytes before the data set. No I/O.

128 bytes of preamble, `DICM`, then File Meta: group 0002 in explicit VR little endian. It is the same whenever the
same instance comes: nothing of the association that brought it is recorded in it.

Source: DICOM PS3.10 section 7.1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from listener.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

PREFIX = bytes(128) + b"DICM"
# Far above what File Meta takes; a file whose group length says more is not one of ours.
MAX_HEADER_BYTES = 65_536

_SHORT = struct.Struct("<HH2sH")
_LONG = struct.Struct("<HH2s2xI")
_GROUP_LENGTH = struct.Struct("<HH2sHI")
_SOP_CLASS_UID = 0x0002
_SOP_INSTANCE_UID = 0x0003
_TRANSFER_SYNTAX_UID = 0x0010
_UIDS = frozenset({_SOP_CLASS_UID, _SOP_INSTANCE_UID, _TRANSFER_SYNTAX_UID})


@dataclass(frozen=True)
class Header:
    """What an existing file's header says; the data set begins at `data_set_offset`. UIDs that are absent are empty."""

    transfer_syntax: str
    data_set_offset: int
    sop_class: str = ""
    sop_instance: str = ""


def encode_header(sop_class: str, sop_instance: str, transfer_syntax: str) -> bytes:
    """Preamble and File Meta of an instance. Source: PS3.10 Table 7.1-1."""
    elements = b"".join(
        (
            _LONG.pack(2, 0x0001, b"OB", 2) + b"\0\1",
            _text(_SOP_CLASS_UID, b"UI", sop_class),
            _text(_SOP_INSTANCE_UID, b"UI", sop_instance),
            _text(_TRANSFER_SYNTAX_UID, b"UI", transfer_syntax),
            _text(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
            _text(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
        )
    )
    return PREFIX + _GROUP_LENGTH.pack(2, 0, b"UL", 4, len(elements)) + elements


def _text(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii")
    if len(value) % 2:
        value += b"\0" if vr == b"UI" else b" "
    return _SHORT.pack(2, element, vr, len(value)) + value


def decode_header(data: bytes) -> Header | None:
    """The header of a file from its first bytes; None when it is not one that we could have written."""
    start = len(PREFIX)
    if len(data) < start + _GROUP_LENGTH.size or data[start - 4 : start] != b"DICM":
        return None
    group, element, _, _, length = _GROUP_LENGTH.unpack_from(data, start)
    offset = start + _GROUP_LENGTH.size
    end = offset + length
    if (group, element) != (2, 0) or end > min(len(data), MAX_HEADER_BYTES):
        return None
    uids: dict[int, str] = {}
    while offset + _SHORT.size <= end:
        _, element, vr, length = _SHORT.unpack_from(data, offset)
        if vr == b"OB":
            if offset + _LONG.size > end:
                return None
            length = _LONG.unpack_from(data, offset)[3]
            offset += _LONG.size - _SHORT.size
        offset += _SHORT.size
        if element in _UIDS and offset + length <= end:
            uids[element] = data[offset : offset + length].rstrip(b"\0 ").decode("ascii", "replace")
        offset += length
    if _TRANSFER_SYNTAX_UID not in uids:
        return None
    return Header(uids[_TRANSFER_SYNTAX_UID], end, uids.get(_SOP_CLASS_UID, ""), uids.get(_SOP_INSTANCE_UID, ""))
