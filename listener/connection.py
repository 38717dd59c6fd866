"""One connection: its socket, its association, its images. Runs in a thread of its own and blocks."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import time
from collections.abc import Iterable

from listener.admission import Refusal
from listener.association import Association, AssociationEvent, Ended, Opened
from listener.intake import Intake, Tally
from listener.messages import Echoed, Refused, StoreBegun, StoreData, StoreEnded
from listener.receipts import Sender
from listener.runlog import printable
from listener.storage import Storage
from listener.timelimits import EncryptedLimits, PlainLimits, TimeLimits

_LOG = logging.getLogger("listener.connection")
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)


class Connection:
    """Serves one peer until the association and the connection are over."""

    def __init__(
        self,
        sock: socket.socket,
        peer: str,
        storage: Storage,
        refusal: Refusal | None = None,
        *,
        is_encrypted: bool = False,
    ) -> None:
        """refusal: why the peer will not be let in, whatever it proposes. is_encrypted: sock is an SSLSocket."""
        config = storage.config
        self._socket = sock
        self._limits: TimeLimits = EncryptedLimits(sock) if is_encrypted else PlainLimits(sock)
        self._peer = peer
        self._config = config
        self._intake = Intake(storage, peer)
        self._association = Association(
            config.max_pdu_bytes, title_rules=config.titles, served=config.served, refusal=refusal
        )
        self._deadline = time.monotonic() + config.association_timeout_seconds
        self._artim_deadline: float | None = None

    @property
    def association(self) -> Association:
        """The protocol's side, for whoever accounts for it."""
        return self._association

    @property
    def tally(self) -> Tally:
        """What it has brought so far."""
        return self._intake.tally

    def serve(self) -> None:
        """Receive until it is over. The socket is closed on return, the images' series let go of."""
        try:
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._limits.limit_send(self._config.idle_timeout_seconds)
            self._receive_all()
        except OSError as error:
            self._take(self._association.lose_connection())
            _LOG.debug("%s: %s", self._peer, error)
        finally:
            self._intake.close()
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
            except (BlockingIOError, TimeoutError) as error:
                if error.errno == errno.ETIMEDOUT:
                    # Not our limit: the network has given the peer up.
                    raise
                self._expire()
                continue
            if not size:
                self._take(association.lose_connection())
                return
            was_artim_running = association.is_artim_running
            self._take(association.receive(buffer[:size]))
            self._intake.flush()
            self._send_output()
            if was_artim_running or association.is_artim_running:
                self._set_timeout()
            if time.monotonic() > self._deadline:
                self._expire()

    def _send_output(self) -> None:
        output = self._association.take_output()
        if output:
            self._limits.send(output)

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
        self._limits.limit_receive(max(seconds, 0.001))

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
                    self._intake.take(data)
                case StoreBegun():
                    self._intake.begin(event)
                case StoreEnded():
                    self._association.respond(self._intake.end())
                case Echoed():
                    _LOG.debug("%s: C-ECHO answered", self._peer)
                case Refused(command, status):
                    self._intake.refuse(command, status)
                case Opened(called_ae, calling_ae):
                    self._intake.sender = Sender(calling_ae, called_ae)
                    _LOG.debug("%s: %s to %s", self._peer, printable(calling_ae), printable(called_ae))
                case Ended(outcome):
                    self.tally.outcome = outcome
