"""What a worker says of itself about once a second, in a file that it writes over in place.

report = CRC-32 of the text as 8 hexadecimal digits | a space | one JSON object | NULs up to 4096 bytes

Behind it in the file stands what is on its way (listener.underway).
The file is mapped: a report costs no call to the disk, and the last one outlives the process, so that the next worker
in the same place goes on counting.
"""

from __future__ import annotations

import json
import logging
import mmap
import os
import threading
import time
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from listener.runlog import printable

REPORT_BYTES = 4096

_MAX_ERROR_CHARACTERS = 300


@dataclass
class Numbers:
    """What has been counted since the place was first filled."""

    associations: int = 0
    images: int = 0
    size_bytes: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class LastError(logging.Handler):
    """Keeps the last error that was logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()[:_MAX_ERROR_CHARACTERS]


class Report:
    """The report of one worker. Only its main thread writes it."""

    def __init__(self, file: str) -> None:
        """file: empty for a worker of which nobody wants to know. Raises: OSError."""
        self.numbers = Numbers()
        self._mutex = threading.Lock()
        self._errors = LastError()
        self._map: mmap.mmap | None = None
        if file:
            fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            try:
                os.ftruncate(fd, REPORT_BYTES)
                self._map = mmap.mmap(fd, REPORT_BYTES)
            finally:
                os.close(fd)
            self._carry_on(_decode(bytes(self._map)))
            logging.getLogger("listener").addHandler(self._errors)

    def count_refused(self, word: str, count: int = 1) -> None:
        """So many more were refused for what the word says; any thread may call it."""
        with self._mutex:
            self.numbers.refused[word] += count

    def count_ended(self, images: int, size_bytes: int) -> None:
        """An association is over, and brought that."""
        with self._mutex:
            self.numbers.images += images
            self.numbers.size_bytes += size_bytes

    def write(self, *, open_associations: int, images: int, size_bytes: int, is_draining: bool) -> None:
        """Report now; images and bytes are those of the associations that are open."""
        if self._map is None:
            return
        with self._mutex:
            values: dict[str, Any] = {
                "pid": os.getpid(),
                "heartbeat": time.monotonic(),
                "is_draining": is_draining,
                "associations_open": open_associations,
                "associations_total": self.numbers.associations,
                "images": self.numbers.images + images,
                "size_bytes": self.numbers.size_bytes + size_bytes,
                "refused": dict(self.numbers.refused),
                "last_error": printable(self._errors.text, _MAX_ERROR_CHARACTERS),
            }
        self._map[:] = encode_report(values)

    def close(self) -> None:
        """Let go of the file; the last report stays in it."""
        logging.getLogger("listener").removeHandler(self._errors)
        if self._map is not None:
            self._map.close()
            self._map = None

    def _carry_on(self, former: Mapping[str, Any]) -> None:
        try:
            self.numbers = Numbers(
                int(former["associations_total"]),
                int(former["images"]),
                int(former["size_bytes"]),
                Counter({str(word): int(count) for word, count in former["refused"].items()}),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            self.numbers = Numbers()


def encode_report(values: Mapping[str, Any]) -> bytes:
    """The report's file."""
    text = json.dumps(values).encode("ascii")
    return (b"%08x " % zlib.crc32(text) + text).ljust(REPORT_BYTES, b"\0")[:REPORT_BYTES]


def _decode(data: bytes) -> Mapping[str, Any]:
    """What the former worker of the place reported; empty when there was none."""
    text = data[9:].rstrip(b"\0")
    try:
        values = json.loads(text) if int(data[:8], 16) == zlib.crc32(text) else {}
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}
