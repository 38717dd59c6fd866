"""One connection: its socket, its association, its images. Runs in a thread of its own and blocks."""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass

from listener import dimse
from listener.admission import Refusal
from listener.association import Association, AssociationEvent, Ended, Opened
from listener.config import Config
from listener.errors import ImageFault
from listener.filing import Filed, file_image
from listener.image import IncomingImage
from listener.messages import Echoed, Refused, StoreBegun, StoreData, StoreEnded
from listener.runlog import printable
from listener.series import SeriesOfAssociation
from listener.spool import Spool

_LOG = logging.getLogger("listener.connection")
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_TIMEVAL = struct.Struct("ll")


@dataclass
class Tally:
    """What one association brought."""

    images: int = 0
    size_bytes: int = 0
    refused: int = 0
    echoes: int = 0
    outcome: str = "connection lost"


class Connection:
    """Serves one peer until the association and the connection are over."""

    def __init__(
        self,
        sock: socket.socket,
        peer: str,
        config: Config,
        spool: Spool,
        series: SeriesOfAssociation,
        refusal: Refusal | None = None,
    ) -> None:
        self._socket = sock
        self._peer = peer
        self._config = config
        self._spool = spool
        self._series = series
        self._association = Association(
            config.max_pdu_bytes, title_rules=config.titles, served=config.served, refusal=refusal
        )
        self._image: IncomingImage | None = None
        self._deadline = time.monotonic() + config.association_timeout_seconds
        self._artim_deadline: float | None = None
        self.tally = Tally()

    @property
    def association(self) -> Association:
        return self._association

    def serve(self) -> None:
        """Receive until it is over. The socket is closed on return, the images' series let go of."""
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(self._config.idle_timeout_seconds))
            self._receive_all()
        except OSError as error:
            self._take(self._association.lose_connection())
            _LOG.debug("%s: %s", self._peer, error)
        finally:
            if self._image is not None:
                _LOG.warning("%s: cut off within an image, %d bytes of it dropped", self._peer, self._image.size_bytes)
                self._image.discard()
            self._series.release_all()
            self._socket.close()

    def _receive_all(self) -> None:
        buffer = memoryview(bytearray(self._config.receive_buffer_bytes))
        sock, association = self._socket, self._association
        self._set_timeout()
        while not association.is_over:
            if _QUICKACK is not None:
                # Not sticky: without it the peer's next segment may wait 40 ms for a delayed acknowledgement.
                sock.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            try:
                size = sock.recv_into(buffer)
            except BlockingIOError:
                self._expire()
                continue
            if not size:
                self._take(association.lose_connection())
                return
            was_artim_running = association.is_artim_running
            self._take(association.receive(buffer[:size]))
            if self._image is not None:
                self._image.flush()
            self._send_output()
            if was_artim_running or association.is_artim_running:
                self._set_timeout()
            if time.monotonic() > self._deadline:
                self._expire()

    def _send_output(self) -> None:
        output = self._association.take_output()
        if output:
            self._socket.sendall(output)

    def _set_timeout(self) -> None:
        """How long the next receive may take: ARTIM counts as a whole, idleness from the last byte."""
        now = time.monotonic()
        if self._association.is_artim_running:
            if self._artim_deadline is None:
                self._artim_deadline = now + self._config.artim_seconds
            seconds = self._artim_deadline - now
        else:
            self._artim_deadline = None
            seconds = min(self._config.idle_timeout_seconds, self._deadline - now)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(max(seconds, 0.001)))

    def _expire(self) -> None:
        """A time has run out: ARTIM, idleness, or the association's as a whole."""
        if self._association.is_artim_running:
            self._take(self._association.expire_artim())
            return
        is_idle = time.monotonic() < self._deadline
        self._take(self._association.abort("idle for too long" if is_idle else "open for too long"))
        self._send_output()
        self._set_timeout()

    def abort(self, why: str) -> None:
        """End the association as its own thread would."""
        self._take(self._association.abort(why))
        with contextlib.suppress(OSError):
            self._send_output()

    def _take(self, events: Iterable[AssociationEvent]) -> None:
        for event in events:
            match event:
                case StoreData(data):
                    if self._image is not None:
                        self._image.take(data)
                case StoreBegun():
                    self._image = IncomingImage(self._spool, event, self._config.max_image_bytes)
                case StoreEnded():
                    self._end_store()
                case Echoed():
                    self.tally.echoes += 1
                case Refused(field, status):
                    self.tally.refused += 1
                    _LOG.warning("%s: request %04x refused with status %04x", self._peer, field, status)
                case Opened(called_ae, calling_ae):
                    _LOG.debug("%s: %s to %s", self._peer, printable(calling_ae), printable(called_ae))
                case Ended(outcome):
                    self.tally.outcome = outcome

    def _end_store(self) -> None:
        image, self._image = self._image, None
        if image is None:
            raise ValueError("a data set has ended that never began")
        status = dimse.SUCCESS
        try:
            filed = file_image(image, self._series, is_durable=self._config.is_durable)
            self.tally.images += 1
            self.tally.size_bytes += image.size_bytes
            if filed is not Filed.NEW:
                level = logging.INFO if filed is Filed.SAME else logging.WARNING
                _LOG.log(level, "%s: an instance that came again: %s", self._peer, filed.value)
        except ImageFault as fault:
            status = fault.status
            self.tally.refused += 1
            _LOG.error("%s: an image refused with status %04x: %s", self._peer, status, fault)
        finally:
            image.discard()
        self._association.respond(status)


def _timeval(seconds: float) -> bytes:
    return _TIMEVAL.pack(int(seconds), int(seconds % 1 * 1_000_000))
