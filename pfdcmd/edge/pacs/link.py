"""One association with a PACS, used by the one thread that opened it; any other thread may cancel or stop it.

Source: DICOM PS3.8 section 7 (associations), PS3.7 section 9.3.2.3 (C-CANCEL).
"""

from __future__ import annotations

import contextlib
import logging
import queue
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import _config, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation, SOPClassExtendedNegotiation
from pynetdicom.presentation import PresentationContext

from pfdcmd.edge.pacs.peersocket import MAX_MESSAGE_BYTES, PeerEntity, Wire
from pfdcmd.edge.pacs.peertls import make_context
from pfdcmd.edge.pacs.refusal import is_transient, peer_name, tls_fault, why_not_established
from pfdcmd.errors import PacsFault, PeerAborted, PeerLacksService, PeerTimeout, PeerUnreachable
from pfdcmd.pacs.outcome import MoveCounts
from pfdcmd.pacs.peer import Peer
from pfdcmd.settings import Settings

# Patients' data does not belong in logs; the rest of pynetdicom's own logging prints every PDU.
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False
_config.LOG_HANDLER_LEVEL = "none"

CANCEL_SECONDS = 3.0
"""How long a PACS has to answer C-CANCEL before the association is broken off."""

PENDING = (0xFF00, 0xFF01)
"""The statuses after which another response comes: PS3.7 Annex C.5."""

_log = logging.getLogger(__name__)

_RELEASE_SECONDS = 2.0
_POLL_SECONDS = 0.005
# Ours are watched from outside (see `overdue`); pynetdicom's own limits are behind them, should that fail.
_SPARE_SECONDS = 10.0
_MAX_ADDRESSES = 4

# A PACS at its limit counts an association for a moment after its release: it says "transient", and means it.
_TRANSIENT_PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8)

# The state in which requests and responses go to and fro: PS3.8 Table 9-5.
_DATA_TRANSFER = "Sta6"

Response = tuple[Dataset, Dataset | None]
"""A status with its optional elements, and the identifier that came with it."""

Sender = Callable[[Association, int], Iterator[Response]]
"""Sends a request with this message id; its responses come one by one, an empty status when the association ended."""


@dataclass(frozen=True)
class Proposal:
    """What an association is asked for. on_store: takes the images that come on it, and gives each one's status."""

    contexts: tuple[PresentationContext, ...]
    negotiation: tuple[SOPClassExtendedNegotiation | SCP_SCU_RoleSelectionNegotiation, ...] = ()
    max_message_bytes: int = MAX_MESSAGE_BYTES
    on_store: Callable[[evt.Event], int] | None = None


class PacsLink:
    """An association: open, request as often as needed, close, in this order."""

    def __init__(self, peer: Peer, settings: Settings, proposal: Proposal) -> None:
        self.peer = peer
        self._settings = settings
        self._proposal = proposal
        # Between two responses; while images come on the association itself, responses may be hours apart.
        is_receiving = proposal.on_store is not None
        message_seconds = settings.pacs_retrieve_seconds if is_receiving else settings.pacs_response_seconds
        wire = Wire(settings.pacs_response_seconds, proposal.max_message_bytes, host=peer.host)
        # An image may be as large as memory allows: the next is not read before somebody has taken it.
        if is_receiving:
            wire = replace(wire, max_waiting_messages=1)
        self._entity = PeerEntity(peer.calling_ae, wire, self._note_pending)
        self._entity.connection_timeout = settings.pacs_connect_seconds
        self._entity.acse_timeout = settings.pacs_association_seconds + _SPARE_SECONDS
        self._entity.dimse_timeout = message_seconds + _SPARE_SECONDS
        self._entity.network_timeout = None
        self._association: Association | None = None
        # No two associations of ours begin with the same: a PACS passes it on with the images of a C-MOVE.
        self.message_id = secrets.randbelow(0xFFFF)
        self.counts = MoveCounts()
        """The sub-operations of the request under way, as far as the PACS has counted them."""
        self._pending_model: UID | None = None
        self._stopped: PacsFault | None = None
        self._wake = threading.Event()
        # Held while a message goes out, which takes no longer than to queue it: nothing is sent after an abort.
        self._sending = threading.Lock()
        self._late: tuple[float, str] | None = None

    @property
    def overdue(self) -> PeerTimeout | None:
        """The fault, once the PACS has let pass the time for what it owes us now."""
        late = self._late
        return PeerTimeout(late[1]) if late is not None and time.monotonic() > late[0] else None

    def open(self) -> None:
        """Connect and associate; of a host name with several addresses, the first that takes the connection.

        Raises: PeerConfigurationFault, PeerUnreachable, PeerTLSFailed, PeerRefused, PeerTimeout, PeerAborted.
        """
        if self.peer.tls is not None:
            self._entity.wire = replace(self._entity.wire, tls=make_context(self.peer.tls))
        addresses = self._resolve()
        for pause_seconds in (*_TRANSIENT_PAUSES_SECONDS, None):
            association = self._associate(addresses)
            self._late = None
            self._check_not_stopped()
            if association is not None and association.is_established:
                self._association = association
                _log.info("association with %s at %s:%d", self.peer.called_ae, self.peer.host, self.peer.port)
                return
            if pause_seconds is None or not is_transient(association):
                raise why_not_established(self.peer, self._entity.opened, association)
            self._wake.wait(pause_seconds)

    @property
    def accepted(self) -> list[PresentationContext]:
        """The presentation contexts that were agreed on; none before `open`."""
        return self._association.accepted_contexts if self._association is not None else []

    def request(self, model: UID, send: Sender) -> Iterator[Response]:
        """Send one request and give its responses, each with a status; the last has one that is not PENDING.

        Raises: PeerAborted, PeerTimeout, PeerRefused; PeerTLSFailed: the PACS did not take our certificate.
        """
        try:
            with self._sending:
                association = self._usable()
                self.counts = MoveCounts()
                self.message_id = self.message_id % 0xFFFF + 1
                responses = send(association, self.message_id)
                self._pending_model = model
            self.start_clock()
            for status, answer in responses:
                self.stop_clock()
                self._check_not_stopped()
                if "Status" not in status:
                    raise tls_fault(self._entity.opened) or self._aborted("Its log may say why.")
                if status.Status not in PENDING:
                    self._pending_model = None
                yield status, answer
                if self._pending_model is None:
                    return
                self.start_clock()
        except ValueError as error:  # no presentation context
            raise PeerLacksService(f"{peer_name(self.peer)} does not offer {model.name}.", cause=str(error)) from error
        except RuntimeError as error:  # no association any more
            raise self._aborted() from error

    def start_clock(self) -> None:
        """From now on the PACS owes us a word."""
        seconds = self._settings.pacs_response_seconds
        self._late = (time.monotonic() + seconds, f"{peer_name(self.peer)} did not answer within {seconds:g} s.")

    def stop_clock(self) -> None:
        """It is not the PACS that is waited for."""
        self._late = None

    def cancel(self) -> bool:
        """From any thread: ask the PACS to end what it does for us, which its final response then says.

        Returns: whether there was anything to cancel.
        """
        with self._sending, contextlib.suppress(RuntimeError, ValueError):
            if self._association is not None:
                return self._send_cancel(self._association)
        return False

    def cancel_and_drain(self) -> None:
        """Have the PACS end the request that is under way, throwing away what still comes; for seconds at most."""
        if not self.cancel() or self._association is None:
            return
        deadline = time.monotonic() + CANCEL_SECONDS
        while self._pending_model is not None and (left := deadline - time.monotonic()) > 0:
            try:
                _, message = self._association.dimse.msg_queue.get(timeout=left)
            except queue.Empty:
                return
            if message is None:
                return
            if getattr(message, "Status", None) not in PENDING:
                self._pending_model = None

    def close(self) -> None:
        """Release the association, or break it off when a response is still owed. Takes seconds at most."""
        association = self._association
        if association is not None:
            self._end(association)
        if self._entity.opened is not None:
            self._entity.opened.dispose()

    def stop(self, fault: PacsFault) -> None:
        """From another thread, without waiting: have whoever uses the link get the fault, and tell the PACS to stop."""
        with self._sending:
            self._stopped = fault
            self._wake.set()
            association = self._entity.opened.assoc if self._entity.opened is not None else None
            if association is not None and association.is_established:
                self._break_off(association)
            else:
                self._cut()

    def _cut(self) -> None:
        """Close the connection as it stands."""
        if self._entity.opened is not None:
            self._entity.opened.cut()

    def _resolve(self) -> list[str]:
        seconds = self._settings.pacs_connect_seconds
        self._late = (
            time.monotonic() + seconds,
            f"{peer_name(self.peer)} could not be looked up within {seconds:g} s.",
        )
        try:
            found = socket.getaddrinfo(self.peer.host, self.peer.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            cause = getattr(error, "strerror", None) or "Unknown host"
            text = f"{peer_name(self.peer)} cannot be found: {cause}. Check serverIP."
            raise PeerUnreachable(text, cause=cause) from error
        finally:
            self._late = None
        return list(dict.fromkeys(str(address[4][0]) for address in found))[:_MAX_ADDRESSES]

    def _end(self, association: Association) -> None:
        if association.is_established and self._pending_model is None:
            association.acse_timeout = _RELEASE_SECONDS
            association.release()
        else:
            with self._sending:
                self._break_off(association)
            deadline = time.monotonic() + _RELEASE_SECONDS
            while association.dul.state_machine.current_state != "Sta1" and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
        self._cut()
        association.kill()

    def _associate(self, addresses: list[str]) -> Association | None:
        handlers: list[evt.EventHandlerType] = [
            (evt.EVT_CONN_OPEN, self._await_association),
            (evt.EVT_DIMSE_RECV, self._start_message),
        ]
        if self._proposal.on_store is not None:
            handlers += [(evt.EVT_C_STORE, self._proposal.on_store), (evt.EVT_DATA_RECV, self._go_on_waiting)]
        association = None
        for address in addresses:
            self._check_not_stopped()
            if self.peer.tls is not None:
                seconds = 2 * self._settings.pacs_connect_seconds
                text = f"{peer_name(self.peer)} did not agree on encryption within {seconds:g} s. Check tls."
                self._late = (time.monotonic() + seconds, text)
            association = self._entity.associate(
                address,
                self.peer.port,
                contexts=list(self._proposal.contexts),
                ae_title=self.peer.called_ae,
                ext_neg=list(self._proposal.negotiation),
                evt_handlers=handlers,
            )
            if self._entity.opened is None or self._entity.opened.failure is None:
                break
        return association

    def _await_association(self, _: evt.Event) -> None:
        seconds = self._settings.pacs_association_seconds
        text = f"{peer_name(self.peer)} did not answer the association request within {seconds:g} s."
        self._late = (time.monotonic() + seconds, text)
        if self._stopped is not None:
            self._cut()

    def _note_pending(self, counts: MoveCounts) -> None:
        self.counts = self.counts.updated(counts)
        self._start_message()
        self._go_on_waiting()

    def _start_message(self, _: evt.Event | None = None) -> None:
        if self._entity.opened is not None:
            self._entity.opened.start_message()

    def _go_on_waiting(self, _: evt.Event | None = None) -> None:
        if self._late is not None and self._pending_model is not None:
            self.start_clock()

    def _usable(self) -> Association:
        self._check_not_stopped()
        if self._association is None or not self._association.is_established:
            raise self._aborted()
        return self._association

    def _aborted(self, hint: str = "") -> PeerAborted:
        return PeerAborted(f"{peer_name(self.peer)} broke off the association. {hint}".rstrip())

    def _send_cancel(self, association: Association) -> bool:
        model = self._pending_model
        if model is None or not is_cancellable(model) or not association.is_established:
            return False
        association.send_c_cancel(self.message_id, query_model=model)
        return True

    def _break_off(self, association: Association) -> None:
        """Ask for the request that is under way to be cancelled, then abort; neither is waited for."""
        with contextlib.suppress(RuntimeError, ValueError):
            self._send_cancel(association)
            if association.is_established and association.dul.state_machine.current_state == _DATA_TRANSFER:
                # Not Association.abort: it waits for the peer, and lets another thread take the wake-up call of ours.
                association.is_established = False
                association.acse.send_abort(0x00)
                # Wakes the thread that waits for a response; it finds none.
                association.dimse.msg_queue.put((None, None))

    def _check_not_stopped(self) -> None:
        if self._stopped is not None:
            raise self._stopped


def is_cancellable(model: UID) -> bool:
    """Whether C-CANCEL is for it: the models of query and retrieve (PS3.4 Annex C), not C-ECHO and C-STORE."""
    return model.startswith("1.2.840.10008.5.1.4.1.2.")
