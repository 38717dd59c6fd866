"""Bytes of the DICOM upper layer, built here by hand so that the listener's own encoders are not their judge."""

from __future__ import annotations

import struct
from pathlib import Path

import pydicom

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
PYDICOM_DATA = Path(pydicom.__file__).parent / "data"

RELEASE_RQ = bytes.fromhex("05 00 00000004 00000000")
RELEASE_RP = bytes.fromhex("06 00 00000004 00000000")
ABORT_BY_USER = bytes.fromhex("07 00 00000004 00000000")


def pdu(pdu_type: int, body: bytes) -> bytes:
    return struct.pack(">BBI", pdu_type, 0, len(body)) + body


def item(item_type: int, value: bytes) -> bytes:
    return struct.pack(">BBH", item_type, 0, len(value)) + value


def context_item(context_id: int, abstract: str, *transfer: str) -> bytes:
    inner = item(0x30, abstract.encode()) + b"".join(item(0x40, each.encode()) for each in transfer)
    return item(0x20, bytes((context_id, 0, 0, 0)) + inner)


def user_information(max_pdu_bytes: int = 16384, extra: bytes = b"") -> bytes:
    return item(0x50, item(0x51, struct.pack(">I", max_pdu_bytes)) + item(0x52, b"1.2.3.4") + extra)


def associate_rq(
    *contexts: bytes,
    called: bytes = b"ANY-SCP",
    calling: bytes = b"SENDER",
    version: int = 1,
    application: str = "1.2.840.10008.3.1.1.1",
    information: bytes | None = None,
) -> bytes:
    body = struct.pack(">HH", version, 0) + called.ljust(16) + calling.ljust(16) + bytes(32)
    body += item(0x10, application.encode()) + b"".join(contexts)
    return pdu(1, body + (user_information() if information is None else information))


def pdv(context_id: int, control: int, data: bytes) -> bytes:
    return struct.pack(">IBB", len(data) + 2, context_id, control) + data


def p_data(*pdvs: bytes) -> bytes:
    return pdu(4, b"".join(pdvs))


def us(element: int, value: int) -> bytes:
    return struct.pack("<HHIH", 0, element, 2, value)


def ui(element: int, uid: str) -> bytes:
    value = uid.encode() + b"\0" * (len(uid) % 2)
    return struct.pack("<HHI", 0, element, len(value)) + value


def command(*elements: bytes) -> bytes:
    body = b"".join(elements)
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def store_command(sop_class: str, sop_instance: str, message_id: int = 1) -> bytes:
    return command(
        ui(0x0002, sop_class),
        us(0x0100, 1),
        us(0x0110, message_id),
        us(0x0700, 0),
        us(0x0800, 0),
        ui(0x1000, sop_instance),
    )


def echo_command(message_id: int = 1) -> bytes:
    return command(ui(0x0002, VERIFICATION), us(0x0100, 0x30), us(0x0110, message_id), us(0x0800, 0x0101))


def store(context_id: int, sop_class: str, sop_instance: str, data_set: bytes, message_id: int = 1) -> bytes:
    return p_data(pdv(context_id, 3, store_command(sop_class, sop_instance, message_id))) + p_data(
        pdv(context_id, 2, data_set)
    )


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    """An explicit VR little endian element with a 16-bit length."""
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def data_set(
    sop_instance: str = "1.2.3.1",
    *,
    sop_class: str = CT,
    series: str = "1.2.3",
    number: str = "1",
    patient: bytes = b"Doe^Jane",
    pixels: bytes = bytes(16),
) -> bytes:
    """A small image in explicit VR little endian."""
    return (
        element(0x00080016, b"UI", sop_class.encode())
        + element(0x00080018, b"UI", sop_instance.encode())
        + element(0x00080020, b"DA", b"20200102")
        + element(0x00081030, b"LO", b"Head")
        + element(0x0008103E, b"LO", b"Axial")
        + element(0x00100010, b"PN", patient)
        + element(0x00100020, b"LO", b"P1")
        + element(0x0020000D, b"UI", b"1.2")
        + element(0x0020000E, b"UI", series.encode())
        + element(0x00200013, b"IS", number.encode())
        + struct.pack("<HH2s2xI", 0x7FE0, 0x0010, b"OW", len(pixels))
        + pixels
    )


def command_elements(answer: bytes) -> dict[int, bytes]:
    """The elements of the first command set in some P-DATA-TF PDUs."""
    content, offset = b"", 0
    while offset < len(answer):
        _, _, length = struct.unpack_from(">BBI", answer, offset)
        inner, end = offset + 6, offset + 6 + length
        while inner < end:
            size, _, control = struct.unpack_from(">IBB", answer, inner)
            assert control & 1
            content += answer[inner + 6 : inner + 4 + size]
            inner += 4 + size
            if control & 2:
                return _elements(content)
        offset = end
    raise AssertionError("no whole command set")


def _elements(content: bytes) -> dict[int, bytes]:
    found, offset = {}, 0
    while offset < len(content):
        group, number, length = struct.unpack_from("<HHI", content, offset)
        assert group == 0
        found[number] = content[offset + 8 : offset + 8 + length]
        offset += 8 + length
    return found


def status_of(answer: bytes) -> int:
    return int(struct.unpack("<H", command_elements(answer)[0x0900])[0])
