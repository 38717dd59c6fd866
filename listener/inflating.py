"""A deflated data set as a stream: inflated a piece at a time, so that it costs no memory but the piece. No I/O.

Source: DICOM PS3.5 section A.5; RFC 1951.
"""

from __future__ import annotations

import zlib
from mmap import mmap

_INPUT_BYTES = 65_536
_DROPPED_BYTES = 1_048_576


class Inflating:
    """The bytes that come out of a deflated data set, in order; `count` of them have. Each method raises zlib.error.

    zlib.error: it is not deflated, or it stops before the mark that ends it.
    """

    def __init__(self, data: bytes | mmap, offset: int, total: int) -> None:
        self._data = data
        self._next = offset
        self._total = total
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._pending = b""
        self.count = 0

    @property
    def is_at_end(self) -> bool:
        """Whether the deflated stream has come to its own end."""
        return self._inflater.eof

    def read(self, size: int) -> bytes:
        """The next `size` bytes, less at the end."""
        pieces = []
        while size and not self.is_at_end:
            piece = self._read_some(size)
            size -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def drop(self, size: int) -> int:
        """Inflate and forget; returns how many bytes of `size` there were."""
        left = size
        while left and not self.is_at_end:
            left -= len(self._read_some(min(left, _DROPPED_BYTES)))
        return size - left

    def _read_some(self, size: int) -> bytes:
        if not self._pending:
            self._pending = self._data[self._next : min(self._next + _INPUT_BYTES, self._total)]
            self._next += len(self._pending)
        is_all = not self._pending
        piece = self._inflater.decompress(self._pending, size)
        self._pending = self._inflater.unconsumed_tail
        if is_all and not piece and not self.is_at_end:
            raise zlib.error("the stream is cut off")
        self.count += len(piece)
        return piece
