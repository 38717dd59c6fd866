"""The element scanner: walks a data set's top level, keeps the values that filing needs, skips all else. No I/O.

It reads headers only, so it costs the same for a large image as for a small one; nested sequences are skipped with a
stack of its own, never by recursion. The walk goes to the end: a data set that stops within an element is not whole.

Of a deflated data set the walk ends after the last element that filing needs, or it would hold pixels in memory. That
it is whole is then known from the mark that ends a deflated stream (RFC 1951, BFINAL), which is looked for within
MAX_CHECKED_BYTES.

Source: DICOM PS3.5 section 7, Annex A.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from mmap import mmap

from listener.elements import LAST_WANTED, WANTED
from listener.inflating import Inflating

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"
# Deflated Explicit VR Little Endian, JPIP Referenced Deflate, JPIP HTJ2K Referenced Deflate.
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})

MAX_NESTING = 256
MAX_VALUE_BYTES = 16_384
# Of a deflated data set: what is held of it at once, at first and at most. A sequence of undefined length before the
# last element that filing needs must fit in that; anything else is got over as it comes.
_FIRST_INFLATED_BYTES = 65_536
MAX_INFLATED_BYTES = 8_388_608
# What is inflated at all: some seconds' work, and ten times the largest images that are sent so.
MAX_CHECKED_BYTES = 2_147_483_648

_ENDLESS = 1 << 62
_UNDEFINED = 0xFFFFFFFF
_ITEM = 0xFFFEE000
_ITEM_END = 0xFFFEE00D
_SEQUENCE_END = 0xFFFEE0DD
_ITEM_GROUP = 0xFFFE
_HEADER_BYTES = 8
_LONG_HEADER_BYTES = 12
# Their headers are 8 and 12 bytes long, PS3.5 section 7.1.2.
_SHORT_VRS = frozenset(
    {b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS"}
    | {b"ST", b"TM", b"UI", b"UL", b"US"}
)
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})

Readable = bytes | mmap


class Malformed(Exception):
    """The data set breaks the encoding's rules, or ends within an element."""


class NeedMore(Exception):
    """An element's header lies beyond the bytes at hand."""


@dataclass(frozen=True, slots=True)
class _Encoding:
    """`short`: tag, VR, 16-bit length; `plain`: tag, 32-bit length; `long`: the 32-bit length after a long VR."""

    is_explicit: bool
    short: struct.Struct
    plain: struct.Struct
    long: struct.Struct


_EXPLICIT_LITTLE = _Encoding(True, struct.Struct("<HH2sH"), struct.Struct("<HHI"), struct.Struct("<I"))
_EXPLICIT_BIG = _Encoding(True, struct.Struct(">HH2sH"), struct.Struct(">HHI"), struct.Struct(">I"))
_IMPLICIT_LITTLE = _Encoding(False, struct.Struct("<HH2sH"), struct.Struct("<HHI"), struct.Struct("<I"))


def _encoding_of(transfer_syntax: str) -> _Encoding:
    if transfer_syntax == IMPLICIT_LITTLE:
        return _IMPLICIT_LITTLE
    return _EXPLICIT_BIG if transfer_syntax == EXPLICIT_BIG else _EXPLICIT_LITTLE


def scan(data: Readable, offset: int, total: int, transfer_syntax: str) -> dict[int, bytes]:
    """Walk the data set and return the raw values of elements.WANTED that it has.

    Args:    data: the beginning of it, from `offset` on, or all of it; total: where in `data` it would end.
    Raises:  NeedMore: call again with more of it. Malformed: it is not whole, or not encoded as it should be.
    """
    if transfer_syntax in DEFLATED:
        return _scan_deflated(data, offset, total)
    encoding = _encoding_of(transfer_syntax)
    if encoding.is_explicit and not _begins_explicit(data, offset):
        # Some writers say explicit and encode implicitly; pydicom reads what they write, and so do we.
        encoding = _IMPLICIT_LITTLE
    return _Walk(data, offset, total, encoding, {}).run()


def _begins_explicit(data: Readable, offset: int) -> bool:
    vr = data[offset + 4 : offset + 6]
    return len(vr) < 2 or (vr.isalpha() and vr.isupper())


def _scan_deflated(data: Readable, offset: int, total: int) -> dict[int, bytes]:
    """Walk a window over the inflated bytes, moved on to the element that it ends in, until nothing more is wanted."""
    if len(data) < total:
        raise NeedMore
    stream = Inflating(data, offset, total)
    found: dict[int, bytes] = {}
    window, size = b"", _FIRST_INFLATED_BYTES
    try:
        while True:
            window += stream.read(size - len(window))
            end = len(window) if stream.is_at_end else _ENDLESS
            walk = _Walk(window, 0, end, _EXPLICIT_LITTLE, found, stops_early=not stream.is_at_end)
            try:
                walk.run()
                break
            except NeedMore:
                window = _move_on(stream, window, walk.boundary)
                size = size if walk.boundary else size * 2
            if size > MAX_INFLATED_BYTES:
                raise Malformed("the deflated data set has too much before the elements that filing needs")
        stream.drop(max(0, MAX_CHECKED_BYTES - stream.count))
    except zlib.error as error:
        raise Malformed("the deflated data set cannot be inflated, or is cut off") from error
    return found


def _move_on(stream: Inflating, window: bytes, boundary: int) -> bytes:
    """What is left of the window from the boundary on, which may lie beyond it."""
    beyond = boundary - len(window)
    if stream.count + beyond > MAX_CHECKED_BYTES:
        raise Malformed("the deflated data set has too much before the elements that filing needs")
    if beyond > 0 and stream.drop(beyond) < beyond:
        raise Malformed("an element runs past the end of the deflated data set")
    return window[boundary:]


class _Walk:
    """A walk over the top level; `boundary` is where the element begins that it got to."""

    def __init__(
        self,
        data: Readable,
        offset: int,
        total: int,
        encoding: _Encoding,
        found: dict[int, bytes],
        *,
        stops_early: bool = False,
    ) -> None:
        """found: takes the values, and may have some. stops_early: at the first element beyond LAST_WANTED."""
        self._data = data
        self._at_hand = len(data)
        self._offset = offset
        self._total = total
        self._encoding = encoding
        self._found = found
        self._stops_early = stops_early
        self._last_tag = 0
        self.boundary = offset

    def run(self) -> dict[int, bytes]:
        found = self._found
        data, encoding, total = self._data, self._encoding, self._total
        while self._offset < total:
            start = self._skip_common(found) if encoding.is_explicit else self._offset
            self.boundary = start
            if start >= total or (self._stops_early and self._last_tag > LAST_WANTED):
                return found
            if total - start < _HEADER_BYTES:
                return self._end_in_padding(found)
            tag, length, vr = self._read_header(encoding)
            if not tag:
                self._offset = start
                return self._end_in_padding(found)
            if self._stops_early and tag > LAST_WANTED:
                return found
            if length == _UNDEFINED:
                self._skip_undefined(vr)
                continue
            end = self._offset + length
            if end > total:
                raise Malformed(f"element {tag:08X} runs past the end of the data set")
            if tag in WANTED and tag not in found:
                stop = min(end, self._offset + MAX_VALUE_BYTES)
                if stop > self._at_hand:
                    raise NeedMore
                found[tag] = data[self._offset : stop]
            self._offset = self.boundary = end
        return found

    def _skip_common(self, found: dict[int, bytes]) -> int:
        """Get over the run of elements with short headers, nine in ten of an image's, that need nothing special.

        Stops before, and returns the offset of, the first that is not of that kind. Does what `run` does, faster:
        every image's hundred headers pass here.
        """
        data, unpack, wanted = self._data, self._encoding.short.unpack_from, WANTED
        tag = 0
        offset, limit = self._offset, min(self._at_hand, self._total) - _HEADER_BYTES
        while offset <= limit:
            group, element, vr, length = unpack(data, offset)
            if vr not in _SHORT_VRS:
                break
            end = offset + _HEADER_BYTES + length
            if end > limit + _HEADER_BYTES or not 0 < group < _ITEM_GROUP:
                break
            tag = group << 16 | element
            if tag in wanted and tag not in found:
                found[tag] = data[offset + _HEADER_BYTES : min(end, offset + _HEADER_BYTES + MAX_VALUE_BYTES)]
            offset = end
        self._offset, self._last_tag = offset, tag
        return offset

    def _end_in_padding(self, found: dict[int, bytes]) -> dict[int, bytes]:
        """Some senders fill the data set up with zeros; anything else after its last element is a cut."""
        stop = min(self._total, self._offset + _HEADER_BYTES)
        if stop > self._at_hand:
            raise NeedMore
        if any(self._data[self._offset : stop]):
            raise Malformed("the data set ends within an element's header")
        return found

    def _read_header(self, encoding: _Encoding) -> tuple[int, int, bytes]:
        """Tag, length and VR (empty where the encoding has none); leaves the offset at the value."""
        offset = self._offset
        if offset + _HEADER_BYTES > self._at_hand:
            self._miss(offset + _HEADER_BYTES)
        self._offset = offset + _HEADER_BYTES
        if encoding.is_explicit:
            group, element, vr, length = encoding.short.unpack_from(self._data, offset)
            if vr in _LONG_VRS and group != _ITEM_GROUP:
                if offset + _LONG_HEADER_BYTES > self._at_hand:
                    self._miss(offset + _LONG_HEADER_BYTES)
                self._offset = offset + _LONG_HEADER_BYTES
                return group << 16 | element, encoding.long.unpack_from(self._data, offset + _HEADER_BYTES)[0], vr
            if group != _ITEM_GROUP:
                return group << 16 | element, length, vr
        group, element, length = encoding.plain.unpack_from(self._data, offset)
        return group << 16 | element, length, b""

    def _miss(self, end: int) -> None:
        if end > self._total:
            raise Malformed("the data set ends within an element's header")
        raise NeedMore

    def _skip_undefined(self, vr: bytes) -> None:
        """Skip a value of undefined length: items up to the sequence's delimiter, at any depth.

        Each level is the encoding within it, and whether it is an item (elements follow) or a sequence (items follow).
        Within UN of undefined length the encoding is implicit VR little endian (PS3.5 section 6.2.2, note 2).
        """
        levels = [(False, self._within(self._encoding, vr))]
        while levels:
            is_item, encoding = levels[-1]
            tag, length, inner_vr = self._read_header(encoding)
            if tag == (_ITEM_END if is_item else _SEQUENCE_END):
                levels.pop()
            elif is_item and length == _UNDEFINED:
                levels.append((False, self._within(encoding, inner_vr)))
            elif is_item or (tag == _ITEM and length != _UNDEFINED):
                self._skip(length)
            elif tag == _ITEM:
                levels.append((True, encoding))
            else:
                raise Malformed(f"element {tag:08X} where an item should be")
            if len(levels) > MAX_NESTING:
                raise Malformed("sequences nested too deeply")

    @staticmethod
    def _within(encoding: _Encoding, vr: bytes) -> _Encoding:
        return _IMPLICIT_LITTLE if vr == b"UN" else encoding

    def _skip(self, length: int) -> None:
        self._offset += length
        if self._offset > self._total:
            raise Malformed("an item runs past the end of the data set")
