"""What a worker writes of itself, decoded.

report = CRC-32 of the text as 8 hexadecimal digits | a space | text | NULs up to the size of the file

The text is one JSON object with the keys of WorkerReport. The worker writes over it in place, so a reader may see half
of a change: the check sum tells.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from pfdcmd.service.state import WorkerReport

REPORT_BYTES = 4096

_PREFIX_BYTES = 9
_MAX_REASONS = 32


def decode_report(data: bytes) -> WorkerReport | None:
    """The report, or None where there is none that is whole."""
    text = data[_PREFIX_BYTES:REPORT_BYTES].rstrip(b"\0")
    try:
        if not text or int(data[: _PREFIX_BYTES - 1], 16) != zlib.crc32(text):
            return None
        values: dict[str, Any] = json.loads(text)
        return WorkerReport(
            pid=int(values["pid"]),
            heartbeat=float(values["heartbeat"]),
            is_draining=bool(values["is_draining"]),
            associations_open=int(values["associations_open"]),
            associations_total=int(values["associations_total"]),
            images=int(values["images"]),
            size_bytes=int(values["size_bytes"]),
            refused={str(k): int(v) for k, v in list(values["refused"].items())[:_MAX_REASONS]},
            last_error=str(values["last_error"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
