"""What is on its way: a note of each image that is being received, so that a killed worker's can be told of.

A file without a name vanishes with its process, and with it all that is known of the image. So behind its report, in
the same file, each worker keeps a place of PLACE_BYTES for each association that has sent an image: lines of text while
one is on its way, NUL in between. Two short writes for an image, nothing of it synced: a power cut takes the notes too.
The next worker in the same place tells what stands there.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from listener.dimse import C_STORE_RQ, Command
from listener.receipts import Event, Receipt, Sender
from listener.report import REPORT_BYTES

PLACE_BYTES = 512

# What a worker may have open at the very most (Config.max_associations, and those that are being refused).
_MAX_PLACES = 8192
_LOG = logging.getLogger("listener.underway")
_FREE = b"\0"


class Transfer(NamedTuple):
    """An image on its way. AE titles and SOP class are printable, the instance a UID."""

    peer: str
    calling_ae: str
    called_ae: str
    sop_class: str
    sop_instance: str
    move_originator: str
    move_id: str


class Underway:
    """The notes of one worker; any of its threads may use it. A note that cannot be written fails no image.

    `abandoned`: what the former worker had on its way when it was killed.
    """

    def __init__(self, report_file: str = "") -> None:
        """To be made before the report, which cuts the file down. report_file: empty: nothing is noted.

        Raises: OSError.
        """
        self._mutex = threading.Lock()
        self._free: list[int] = []
        self._places = 0
        self._fd = -1
        self.abandoned: Sequence[Transfer] = ()
        if report_file:
            self._fd = os.open(report_file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
            self.abandoned = tuple(_transfers(os.pread(self._fd, _MAX_PLACES * PLACE_BYTES, REPORT_BYTES)))

    @property
    def is_noting(self) -> bool:
        """Whether there is a file to note in."""
        return self._fd >= 0

    def take_place(self) -> int:
        """For one association."""
        with self._mutex:
            if self._free:
                return self._free.pop()
            self._places += 1
            return self._places - 1

    def give_back(self, place: int) -> None:
        """The place of a note that is over may be taken again."""
        with self._mutex:
            self._free.append(place)

    def begin(self, place: int, transfer: Transfer) -> None:
        """An image begins."""
        text = "\n".join(transfer).encode("ascii", "replace")
        if len(text) < PLACE_BYTES:
            self._write(place, text + _FREE)

    def end(self, place: int) -> None:
        """It has come, or its association has ended: either is told elsewhere."""
        self._write(place, _FREE)

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, place: int, data: bytes) -> None:
        try:
            os.pwrite(self._fd, data, REPORT_BYTES + place * PLACE_BYTES)
        except OSError as error:
            _LOG.debug("what is on its way cannot be noted: %s", error.strerror)


def receipt_of(transfer: Transfer) -> Receipt:
    """That it was cut off; of how many bytes, nobody knows."""
    command = Command(
        C_STORE_RQ,
        0,
        has_data_set=True,
        sop_class=transfer.sop_class,
        sop_instance=transfer.sop_instance,
        move_originator=transfer.move_originator,
        move_originator_message_id=int(transfer.move_id) if transfer.move_id.isdecimal() else None,
    )
    sender = Sender(transfer.calling_ae, transfer.called_ae)
    return Receipt(Event.CUT_OFF, sender, command, reason="the worker was killed within the image")


def _transfers(data: bytes) -> Iterator[Transfer]:
    for at in range(0, len(data), PLACE_BYTES):
        text, _, _ = data[at : at + PLACE_BYTES].partition(_FREE)
        fields = text.decode("ascii", "replace").split("\n")
        # Half a note is none: the worker was killed, or the disk was full, while it was written.
        if len(fields) == len(Transfer._fields):
            yield Transfer(*fields)
