"""One C-MOVE or C-GET of the misbehaving PACS on its way: images sent, dropped or failed, and counts of its own."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from io import BytesIO
from typing import Any

from misbehaviour import Behaviour, Request
from pydicom.dataset import Dataset
from pynetdicom import evt
from pynetdicom.dsutils import encode

_PENDING, _SUCCESS, _CANCELLED, _SOME_FAILED = 0xFF00, 0x0000, 0xFE00, 0xB000


class Retrieve:
    """One C-MOVE or C-GET on its way, with counts of its own."""

    def __init__(
        self,
        event: evt.Event,
        primitive: type,
        request: Request,
        behaviour: Behaviour,
        sent: list[str],
        ended: threading.Event,
    ) -> None:
        self._event = event
        self._primitive = primitive
        self._request = request
        self._behaviour = behaviour
        self._ended = ended
        self._sent = sent
        self.is_cancelled = False
        self._completed = 0
        self._failed: list[str] = []
        self._remaining = 0

    def perform(self, images: list[Dataset], store: Callable[[Dataset], Dataset]) -> None:
        behaviour = self._behaviour
        if self._request.level in behaviour.refused_levels:
            self.respond(behaviour.refused_levels[self._request.level], counts=False)
            return
        if behaviour.sends_nothing:
            self.respond(_SUCCESS)
            return
        self._remaining = len(images)
        for number, one in enumerate(images, 1):
            if behaviour.breaks_off_after is not None and number > behaviour.breaks_off_after:
                self._break_off()
                return
            if behaviour.stalls_after is not None and number > behaviour.stalls_after:
                self._stall()
                return
            if self._event.is_cancelled and not behaviour.ignores_cancel:
                self.is_cancelled = True
                self.respond(_CANCELLED)
                return
            if self._is_gone():
                return
            if behaviour.image_seconds:
                self._ended.wait(behaviour.image_seconds)
            self._one(number, one, store)
            self.respond(_PENDING)
        self.respond(_SOME_FAILED if self._failed and not behaviour.denies_failures else _SUCCESS)

    def _one(self, number: int, one: Dataset, store: Callable[[Dataset], Dataset]) -> None:
        behaviour, uid = self._behaviour, str(one.SOPInstanceUID)
        self._remaining -= 1
        if behaviour.fails_every and number % behaviour.fails_every == 0:
            self._failed.append(uid)
        elif behaviour.drops_every and number % behaviour.drops_every == 0:
            self._completed += 1
        elif _stored(one, store):
            self._completed += 1
            self._sent.append(uid)
        else:
            self._failed.append(uid)

    def respond(self, status: int, *, counts: bool = True) -> None:
        answer = self._primitive()
        answer.MessageIDBeingRespondedTo = self._request.message_id
        answer.AffectedSOPClassUID = self._event.request.AffectedSOPClassUID
        answer.Status = status
        if counts and self._behaviour.reports_counts:
            answer.NumberOfCompletedSuboperations = self._completed + self._behaviour.miscounts
            answer.NumberOfFailedSuboperations = len(self._failed)
            answer.NumberOfWarningSuboperations = 0
            if status in (_PENDING, _CANCELLED):
                answer.NumberOfRemainingSuboperations = self._remaining
        if self._failed and self._behaviour.lists_failures and status not in (_PENDING, _SUCCESS):
            answer.Identifier = _failed_list(self._failed)
        with contextlib.suppress(AttributeError):  # the association's socket is gone
            self._event.assoc.dimse.send_msg(answer, self._event.context.context_id)

    def say_no_more(self) -> None:
        """pynetdicom would answer once more, after the final response, with counts of its own."""
        self._event.assoc.dimse.send_msg = lambda *_: None

    def _break_off(self) -> None:
        if not self._behaviour.cuts_connection:
            self._event.assoc.abort()
            return
        connection = self._event.assoc.dul.socket.socket
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)

    def _is_gone(self) -> bool:
        """Whether the other side has ended the association, which pynetdicom looks at only between two requests."""
        association = self._event.assoc
        return not association.is_established or association.acse.is_aborted() or self._ended.is_set()

    def _stall(self) -> None:
        while not self._is_gone() and not self._ended.wait(0.01):
            if self._event.is_cancelled and not self._behaviour.ignores_cancel:
                self.is_cancelled = True
                self.respond(_CANCELLED)
                return


def _stored(one: Dataset, store: Callable[[Dataset], Dataset]) -> bool:
    try:
        status = store(one)
    except (RuntimeError, ValueError):  # no association, or no context for it
        return False
    return "Status" in status and status.Status == _SUCCESS


def _failed_list(uids: list[str]) -> Any:
    identifier = Dataset()
    identifier.FailedSOPInstanceUIDList = uids
    return BytesIO(encode(identifier, True, True) or b"")
