"""A receipt: what a listener notes of each image once it is durable, or why it is not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

from pfdcmd.errors import ParameterFault
from pfdcmd.names import parse_uid

MAX_LINE_BYTES = 16_384
_ON_DISK = frozenset(("filed", "same", "different"))
_EVENTS = _ON_DISK | frozenset(("quarantined", "refused", "cut off"))
_MAX_REASON = 500
_MAX_TITLE = 16


@dataclass(frozen=True)
class Receipt:
    """One event of one image; UIDs and titles that are not known are empty.

    time is seconds since the epoch; directory is the absolute one of the series, empty when nothing was filed.
    """

    time: float
    event: str
    study: str
    series: str
    instance: str
    size_bytes: int
    directory: str
    calling: str
    called: str
    originator: str
    move_id: int | None
    status: int
    reason: str

    @property
    def is_on_disk(self) -> bool:
        """Whether the image is durable under its name, now or from before."""
        return self.event in _ON_DISK


def parse_receipt(line: bytes) -> Receipt | None:
    """One line of a receipts file; None when it is not a receipt, as after a full disk half of one is not."""
    try:
        # Decoded here, because json tries to find out in which encoding bytes are.
        fields = json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None
    event = fields.get("event") if isinstance(fields, dict) else None
    if not isinstance(event, str) or event not in _EVENTS:
        return None
    receipt = Receipt(
        time=_float(fields.get("t")),
        event=event,
        study=_uid(fields.get("study")),
        series=_uid(fields.get("series")),
        instance=_uid(fields.get("instance")),
        size_bytes=max(_int(fields.get("bytes")) or 0, 0),
        directory=_directory(fields.get("data_dir"), fields.get("dir")),
        calling=_text(fields.get("calling"), _MAX_TITLE),
        called=_text(fields.get("called"), _MAX_TITLE),
        originator=_text(fields.get("originator"), _MAX_TITLE),
        move_id=_int(fields.get("move_id")),
        status=_int(fields.get("status")) or 0,
        reason=_text(fields.get("reason"), _MAX_REASON),
    )
    if receipt.is_on_disk and not (receipt.series and receipt.instance and receipt.directory):
        return None
    return receipt


def _uid(value: object) -> str:
    try:
        return parse_uid(value, "uid")
    except ParameterFault:
        return ""


def _directory(data_dir: object, series_dir: object) -> str:
    """The two joined; nothing when the one is not absolute or the other could lead out of it."""
    return _joined(data_dir, series_dir) if isinstance(data_dir, str) and isinstance(series_dir, str) else ""


# What the images of a series share is worked out once.
@lru_cache(maxsize=256)
def _joined(data_dir: str, series_dir: str) -> str:
    if not data_dir.startswith("/"):
        return ""
    if not series_dir or series_dir.startswith("/") or ".." in series_dir.split("/") or "\0" in data_dir + series_dir:
        return ""
    directory = f"{data_dir.rstrip('/')}/{series_dir.rstrip('/')}"
    return directory if _speakable(directory) == directory else ""


def _text(value: object, length: int) -> str:
    return _speakable(value[:length].strip()) if isinstance(value, str) else ""


def _speakable(text: str) -> str:
    """Without lone surrogates: JSON can say them, UTF-8 and so the ledger cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _int(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 60 else None


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) and abs(value) < 1e12 else 0.0
