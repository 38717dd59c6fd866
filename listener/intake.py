"""The images of one association: each taken, filed or refused, and accounted for."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from listener import dimse
from listener.dimse import Command
from listener.errors import IMAGES, QUARANTINED, ImageFault, Shortage
from listener.filing import Filed, Filing, file_image
from listener.image import IncomingImage
from listener.messages import StoreBegun
from listener.quarantine import Note
from listener.receipts import Event, Receipt, Sender, printable_title
from listener.runlog import CutOff, printable
from listener.storage import Storage
from listener.underway import Transfer

_LOG = logging.getLogger("listener.intake")
EVENT_OF = {Filed.NEW: Event.FILED, Filed.SAME: Event.SAME, Filed.DIFFERENT: Event.DIFFERENT}


@dataclass
class Tally:
    """What one association brought. `refused_by`: images that were refused, by the word they are counted under.

    `cut_off`: the image that it ended within, if it did.
    """

    images: int = 0
    size_bytes: int = 0
    refused_by: Counter[str] = field(default_factory=Counter)
    outcome: str = "connection lost"
    cut_off: CutOff | None = None

    @property
    def refused(self) -> int:
        """How many images were refused, whatever for."""
        return self.refused_by.total()


class Intake:
    """Takes one image after the other. `sender` is to be set before the first."""

    def __init__(self, storage: Storage, peer: str) -> None:
        self._storage = storage
        self._peer = peer
        self._series = storage.series()
        self._image: IncomingImage | None = None
        self._place: int | None = None
        self.sender = Sender()
        self.tally = Tally()

    def begin(self, began: StoreBegun) -> None:
        """A C-STORE request has come; its data set follows."""
        if self._storage.underway.is_noting:
            self._note_begun(began.command)
        self._image = IncomingImage(
            self._storage.archive.spool, began, self._storage.config.max_image_bytes, self._storage.space.fault()
        )

    def take(self, data: memoryview) -> None:
        """Bytes of the data set, to be flushed before the memory under them is used again."""
        if self._image is not None:
            self._image.take(data)

    def flush(self) -> None:
        """Write what was taken: the memory under it is about to be used again."""
        if self._image is not None:
            self._image.flush()

    def end(self) -> int:
        """The data set is complete. Returns: the status to answer with; a success only when the image is filed."""
        image, self._image = self._image, None
        if image is None:
            raise ValueError("a data set has ended that never began")
        self._storage.space.spend(image.size_bytes)
        try:
            filing = file_image(image, self._series, is_durable=self._storage.config.is_durable)
            self._count_filed(image, filing)
            return dimse.SUCCESS
        except ImageFault as fault:
            self._count_refused(image, fault)
            return fault.status
        finally:
            image.discard()
            self._forget_transfer()

    def refuse(self, command: Command, status: int) -> None:
        """A request was answered with a failure before its data set was looked at."""
        self.tally.refused_by[IMAGES] += 1
        _LOG.warning("%s: request %04x refused with status %04x", self._peer, command.field, status)
        if command.field == dimse.C_STORE_RQ:
            reason = "refused by its command set"
            self._storage.receipts.write(Receipt(Event.REFUSED, self.sender, command, status, reason=reason))

    def close(self) -> None:
        """The association is over: what is not whole is dropped, and the series are let go of."""
        if self._image is not None:
            self._note_cut_off(self._image)
            self._image.discard()
            self._image = None
            self._forget_transfer()
        if self._place is not None:
            self._storage.underway.give_back(self._place)
            self._place = None
        self._series.release_all()

    def _note_begun(self, command: Command) -> None:
        if self._place is None:
            self._place = self._storage.underway.take_place()
        move_id = command.move_originator_message_id
        transfer = Transfer(
            self._peer,
            printable_title(self.sender.calling_ae),
            printable_title(self.sender.called_ae),
            printable(command.sop_class),
            command.sop_instance,
            printable_title(command.move_originator),
            "" if move_id is None else str(move_id),
        )
        self._storage.underway.begin(self._place, transfer)

    def _forget_transfer(self) -> None:
        if self._place is not None:
            self._storage.underway.end(self._place)

    def _count_filed(self, image: IncomingImage, filing: Filing) -> None:
        self.tally.images += 1
        self.tally.size_bytes += image.size_bytes
        if filing.outcome is not Filed.NEW:
            level = logging.INFO if filing.outcome is Filed.SAME else logging.WARNING
            _LOG.log(level, "%s: an instance that came again: %s", self._peer, filing.outcome.value)
        self._storage.receipts.write(
            Receipt(
                EVENT_OF[filing.outcome],
                self.sender,
                image.command,
                size_bytes=image.size_bytes,
                elements=filing.elements,
                place=filing.place,
            )
        )

    def _count_refused(self, image: IncomingImage, fault: ImageFault) -> None:
        is_kept = fault.status != dimse.OUT_OF_RESOURCES and image.is_kept and self._quarantine(image, fault)
        self.tally.refused_by[QUARANTINED if is_kept else fault.word] += 1
        level = logging.DEBUG if isinstance(fault, Shortage) else logging.ERROR
        _LOG.log(level, "%s: an image refused with status %04x: %s", self._peer, fault.status, fault)
        self._storage.receipts.write(
            Receipt(
                Event.QUARANTINED if is_kept else Event.REFUSED,
                self.sender,
                image.command,
                fault.status,
                image.size_bytes,
                image.elements,
                reason=str(fault),
            )
        )

    def _quarantine(self, image: IncomingImage, fault: ImageFault) -> bool:
        command = image.command
        return self._storage.quarantine.put(
            image,
            Note(
                time=datetime.now().astimezone().isoformat(timespec="seconds"),
                service=self._storage.config.service,
                peer=self._peer,
                calling=printable_title(self.sender.calling_ae),
                called=printable_title(self.sender.called_ae),
                sop_class=command.sop_class,
                sop_instance=command.sop_instance,
                transfer_syntax=image.transfer_syntax,
                status=f"{fault.status:04X}",
                reason=str(fault),
                move_originator=printable_title(command.move_originator),
                move_originator_message_id=command.move_originator_message_id,
                bytes=image.size_bytes,
            ),
        )

    def _note_cut_off(self, image: IncomingImage) -> None:
        _LOG.warning("%s: cut off within an image, %d bytes of it dropped", self._peer, image.size_bytes)
        self.tally.cut_off = CutOff(image.command.sop_instance, image.size_bytes)
        reason = "the association ended within the image"
        self._storage.receipts.write(
            Receipt(Event.CUT_OFF, self.sender, image.command, size_bytes=image.size_bytes, reason=reason)
        )
