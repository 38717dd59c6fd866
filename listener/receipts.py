"""Receipts: what has come of each image, one JSON object a line, for whoever keeps account of retrieves.

Each worker appends to files of its own in one directory, `<service>-<worker>-<process id>-<ns since 1970>.jsonl`; after
MAX_FILE_BYTES it begins another, and never writes to the former again: whoever reads them may remove a file that has a
successor, or whose process is gone. A line is written by one call, when the image is on disk and before the sender is
answered; it is not synced, for what a power cut takes of it can be told again from the files.

{"t": s since 1970, "event", "study", "series", "instance", "sop_class": UIDs, "" unknown, "bytes": of the data set,
 "dir": series directory below "data_dir", "file": name in it, "calling", "called", "originator": AE titles,
 "move_id": MoveOriginatorMessageID or null, "status": of the response, "reason": text without patients' data}
"""

from __future__ import annotations

import logging
import os
import threading
import time
from enum import StrEnum
from json.encoder import encode_basestring_ascii as _quote
from typing import TYPE_CHECKING, NamedTuple

from listener.directories import open_root
from listener.runlog import printable

if TYPE_CHECKING:
    from listener.dimse import Command
    from listener.elements import Elements
    from listener.naming import Place

MAX_FILE_BYTES = 8_388_608

_LOG = logging.getLogger("listener.receipts")
_FILE_MODE = 0o600
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# An AE title has 16 characters and a UID 64; what is longer breaks the standard, and is not looked for.
_MAX_TITLE = 16
_MAX_UID = 64
_MAX_REASON = 300


class Event(StrEnum):
    """What has come of an image."""

    FILED = "filed"
    SAME = "same"
    DIFFERENT = "different"
    QUARANTINED = "quarantined"
    REFUSED = "refused"
    CUT_OFF = "cut off"


class Sender(NamedTuple):
    """The AE titles of an association."""

    calling_ae: str = ""
    called_ae: str = ""


class Receipt(NamedTuple):
    """What is known of an image when it has been dealt with; `elements` and `place` of one that could be read."""

    event: Event
    sender: Sender
    command: Command
    status: int = 0
    size_bytes: int = 0
    elements: Elements | None = None
    place: Place | None = None
    reason: str = ""


class Receipts:
    """The receipts of one worker; any of its threads may write. A receipt that cannot be written fails no image."""

    def __init__(self, directory: str, service: str, worker: int, data_dir: str) -> None:
        """directory: empty when nobody wants receipts. Raises: OSError: it cannot be made or opened."""
        self._stem = f"{service}-{worker}-{os.getpid()}"
        self._data_dir = os.path.abspath(data_dir)  # noqa: PTH100 - text, and links are kept
        self._mutex = threading.Lock()
        self._directory_fd = open_root(directory) if directory else -1
        self._fd = -1
        self._size_bytes = 0
        self._is_torn = False
        self._is_failing = False

    @property
    def directory_fd(self) -> int:
        """-1 when nobody wants receipts."""
        return self._directory_fd

    def write(self, receipt: Receipt) -> None:
        """Append one; nothing when no directory is configured."""
        if self._directory_fd < 0:
            return
        line = format_receipt(receipt, self._data_dir, time.time())
        with self._mutex:
            try:
                self._append(line)
            except OSError as error:
                if not self._is_failing:
                    _LOG.error("receipts cannot be written: %s", error.strerror)
                self._is_failing = True
            else:
                self._is_failing = False

    def close(self) -> None:
        """Let go of the file."""
        with self._mutex:
            for fd in (self._fd, self._directory_fd):
                if fd >= 0:
                    os.close(fd)
            self._fd = self._directory_fd = -1

    def _append(self, line: bytes) -> None:
        if self._fd < 0 or self._size_bytes >= MAX_FILE_BYTES:
            self._begin_file()
        if self._is_torn:
            line = b"\n" + line
        written = os.write(self._fd, line)
        self._size_bytes += written
        # A full disk may take half a line; the next one begins on a line of its own.
        self._is_torn = written < len(line)
        if self._is_torn:
            raise OSError(0, "only a part of a line could be written")

    def _begin_file(self) -> None:
        name = f"{self._stem}-{time.time_ns()}.jsonl"
        fresh = os.open(name, _FLAGS, _FILE_MODE, dir_fd=self._directory_fd)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._size_bytes, self._is_torn = fresh, 0, False


def format_receipt(receipt: Receipt, data_dir: str, now: float) -> bytes:
    """One line. Args: now: seconds since 1970."""
    command, elements, place, sender = receipt.command, receipt.elements, receipt.place, receipt.sender
    move_id = command.move_originator_message_id
    # By hand, because it is done for each image: a third of what json.dumps takes.
    return (
        f'{{"t": {now:.6f}, "event": "{receipt.event}", '
        f'"study": {_quote(_uid(elements.study_uid) if elements else "")}, '
        f'"series": {_quote(_uid(elements.series_uid) if elements else "")}, '
        f'"instance": {_quote(_uid(command.sop_instance))}, "sop_class": {_quote(_uid(command.sop_class))}, '
        f'"bytes": {receipt.size_bytes}, "dir": {_quote(place.series_path if place else "")}, '
        f'"data_dir": {_quote(data_dir)}, "file": {_quote(place.file_name if place else "")}, '
        f'"calling": {_quote(printable_title(sender.calling_ae))}, '
        f'"called": {_quote(printable_title(sender.called_ae))}, '
        f'"originator": {_quote(printable_title(command.move_originator))}, '
        f'"move_id": {"null" if move_id is None else move_id}, "status": {receipt.status}, '
        f'"reason": {_quote(printable(receipt.reason, _MAX_REASON))}}}\n'
    ).encode("ascii")


def _uid(text: str | None) -> str:
    return (text or "")[:_MAX_UID]


def printable_title(text: str) -> str:
    """The title as it is, but for what no AE title may hold. Source: PS3.5 section 6.2, VR AE."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(each if each.isascii() and each.isprintable() else "?" for each in text)
    return text[:_MAX_TITLE]
