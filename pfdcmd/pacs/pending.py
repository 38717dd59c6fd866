"""The pending responses of a C-MOVE or C-GET: one for each image, of which only the counts are of use.

Source: DICOM PS3.7 Tables 9.3-8 and 9.3-11 (the responses), section 6.3.1 (command sets), PS3.8 Annex E (fragments).
"""

from __future__ import annotations

import struct

from pfdcmd.pacs.outcome import MoveCounts

_C_GET_RSP = 0x8010
_C_MOVE_RSP = 0x8021
_NO_DATA_SET = 0x0101
_PENDING = 0xFF00
_WHOLE_COMMAND = 0x03

_COMMAND_FIELD = 0x0100
_DATA_SET_TYPE = 0x0800
_STATUS = 0x0900
_REMAINING = 0x1020
_COMPLETED = 0x1021
_FAILED = 0x1022
_WARNING = 0x1023

_ELEMENT = struct.Struct("<HHI")
_US = struct.Struct("<H")


def read_pending(fragment: bytes) -> MoveCounts | None:
    """The counts of a pending response that has no identifier; None for everything else, rubbish included.

    fragment: a message control header and what follows it, PS3.8 section E.2.
    """
    if not fragment or fragment[0] != _WHOLE_COMMAND:
        return None
    numbers: dict[int, int] = {}
    offset, end = 1, len(fragment)
    while offset < end:
        if end - offset < _ELEMENT.size:
            return None
        group, element, length = _ELEMENT.unpack_from(fragment, offset)
        offset += _ELEMENT.size
        if group or length > end - offset:
            return None
        if length == _US.size:
            numbers[element] = _US.unpack_from(fragment, offset)[0]
        offset += length
    is_pending = (
        numbers.get(_COMMAND_FIELD) in (_C_MOVE_RSP, _C_GET_RSP)
        and numbers.get(_STATUS) == _PENDING
        and numbers.get(_DATA_SET_TYPE) == _NO_DATA_SET
    )
    if not is_pending:
        return None
    return MoveCounts(
        completed=numbers.get(_COMPLETED),
        failed=numbers.get(_FAILED),
        warning=numbers.get(_WARNING),
        remaining=numbers.get(_REMAINING),
    )
