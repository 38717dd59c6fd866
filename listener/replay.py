"""Replay: images in quarantine are filed again, by the same code that files what a peer sends."""

from __future__ import annotations

import os
import re
from typing import Any

from listener import dimse, naming, part10
from listener.contexts import Context
from listener.dimse import Command
from listener.errors import ImageFault
from listener.filing import file_image
from listener.image import IncomingImage
from listener.intake import EVENT_OF
from listener.messages import StoreBegun
from listener.quarantine import IMAGE_SUFFIX, read_note, remove
from listener.receipts import Receipt, Sender
from listener.series import SeriesOfAssociation
from listener.spool import Spool
from listener.storage import Storage

_CHUNK_BYTES = 1_048_576
_UID = re.compile(r"[0-9.]{1,64}\Z", re.ASCII)


class Replay:
    """Replays images of one service's quarantine, whose series are open until `close`."""

    def __init__(self, storage: Storage) -> None:
        """Raises: OSError: the quarantine cannot be opened."""
        self._storage = storage
        self._series: SeriesOfAssociation = storage.series()
        self._spool = storage.quarantine.open()

    @property
    def spool(self) -> Spool:
        """The quarantine's directory."""
        return self._spool

    def close(self) -> None:
        """Close the series, which become received."""
        self._series.release_all()

    def check(self, stem: str) -> str:
        """Returns: the SOPInstanceUID of an image that could be filed, which stays where it is. Raises: ImageFault."""
        image, _ = self._load(stem)
        try:
            naming.place(image.finish())
            return image.command.sop_instance
        finally:
            image.discard()

    def file(self, stem: str) -> str:
        """File an image as if it came again, and take it from the quarantine.

        Returns: how it was filed, and its SOPInstanceUID. Raises: ImageFault: it stays. OSError: it cannot be taken.
        """
        image, note = self._load(stem)
        try:
            filing = file_image(image, self._series, is_durable=self._storage.config.is_durable)
        finally:
            image.discard()
        self._storage.receipts.write(
            Receipt(
                EVENT_OF[filing.outcome],
                Sender(_text(note, "calling"), _text(note, "called")),
                image.command,
                size_bytes=image.size_bytes,
                elements=filing.elements,
                place=filing.place,
                reason="from quarantine",
            )
        )
        remove(self._spool, stem)
        return f"{filing.outcome.value}, {image.command.sop_instance}"

    def _load(self, stem: str) -> tuple[IncomingImage, dict[str, Any]]:
        """The image with all of its bytes, as if they had come from its sender; and its note.

        What it says of itself must be what its own File Meta says, which whoever mends a file changes with it.
        """
        note = read_note(self._spool, stem)
        try:
            fd = os.open(stem + IMAGE_SUFFIX, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._spool.fd)
        except OSError as error:
            raise ImageFault(dimse.PROCESSING_FAILURE, os.strerror(error.errno or 0)) from error
        try:
            return self._read(fd, note), note
        finally:
            os.close(fd)

    def _read(self, fd: int, note: dict[str, Any]) -> IncomingImage:
        header = part10.decode_header(os.pread(fd, part10.MAX_HEADER_BYTES, 0))
        if header is None:
            raise ImageFault(dimse.CANNOT_UNDERSTAND, "no Part 10 file, or one without TransferSyntaxUID")
        if not all(_UID.match(uid) for uid in (header.transfer_syntax, header.sop_class, header.sop_instance)):
            raise ImageFault(dimse.CANNOT_UNDERSTAND, "its File Meta lacks a UID, or has one that is none")
        move_id = note.get("move_originator_message_id")
        command = Command(
            dimse.C_STORE_RQ,
            0,
            has_data_set=True,
            sop_class=header.sop_class,
            sop_instance=header.sop_instance,
            move_originator=_text(note, "move_originator"),
            move_originator_message_id=move_id if isinstance(move_id, int) else None,
        )
        began = StoreBegun(command, Context(header.sop_class, header.transfer_syntax))
        image = IncomingImage(
            self._storage.archive.spool, began, self._storage.config.max_image_bytes, self._storage.space.fault()
        )
        offset = header.data_set_offset
        try:
            while chunk := os.pread(fd, _CHUNK_BYTES, offset):
                image.take(memoryview(chunk))
                image.flush()
                offset += len(chunk)
        except OSError as error:
            image.discard()
            raise ImageFault(dimse.PROCESSING_FAILURE, os.strerror(error.errno or 0)) from error
        return image


def _text(note: dict[str, Any], key: str) -> str:
    value = note.get(key)
    return value if isinstance(value, str) else ""
