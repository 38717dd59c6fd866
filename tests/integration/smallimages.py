"""Images for the listener made by hand: valid, of any size, and each of its number."""

from __future__ import annotations

import struct

from bench.lean import Image

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"


def small_image(number: int, *, series: str = "1.2.3", size: int = 20_000) -> Image:
    """A CT image of patient P1, study 1.2; size: bytes of its pixel data, an even number."""
    uid = f"{series}.{number}"
    return Image(
        CT,
        uid,
        EXPLICIT_LITTLE,
        _element(0x00080016, b"UI", CT)
        + _element(0x00080018, b"UI", uid)
        + _element(0x00100020, b"LO", "P1")
        + _element(0x0020000D, b"UI", "1.2")
        + _element(0x0020000E, b"UI", series)
        + _element(0x00200013, b"IS", str(number))
        + struct.pack("<HH2s2xI", 0x7FE0, 0x0010, b"OW", size)
        + bytes([number % 251]) * size,
    )


def _element(tag: int, vr: bytes, text: str) -> bytes:
    value = text.encode()
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value
