"""One association with a PACS, used by the one thread that opened it; any other thread may stop it.

Source: DICOM PS3.4 Annex C (Query/Retrieve), Study Root; PS3.7 section 9.1 (C-FIND, C-MOVE, C-CANCEL).
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Mapping

from pydicom.dataset import Dataset
from pydicom.uid import UID, ImplicitVRLittleEndian
from pynetdicom import _config, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from pfdcmd.edge.identifier import decode_identifier, encode_identifier
from pfdcmd.edge.peersocket import PeerEntity
from pfdcmd.errors import (
    KeysRefused,
    PacsFault,
    PeerAborted,
    PeerFailed,
    PeerRefused,
    PeerTimeout,
    PeerUnreachable,
)
from pfdcmd.pacs.outcome import MoveCounts
from pfdcmd.pacs.peer import Peer
from pfdcmd.settings import Settings

# Patients' data does not belong in logs; the rest of pynetdicom's own logging prints every PDU.
_config.LOG_REQUEST_IDENTIFIERS = False
_config.LOG_RESPONSE_IDENTIFIERS = False
_config.LOG_HANDLER_LEVEL = "none"

# PS3.4 section C.6.2: the Study Root information model's SOP classes.
_FIND_MODEL = UID("1.2.840.10008.5.1.4.1.2.2.1")
_MOVE_MODEL = UID("1.2.840.10008.5.1.4.1.2.2.2")

_RELEASE_SECONDS = 2.0
_POLL_SECONDS = 0.005
# Ours are watched from outside (see `overdue`); pynetdicom's own limits are behind them, should that fail.
_SPARE_SECONDS = 10.0
_MAX_ADDRESSES = 4

# A PACS at its limit counts an association for a moment after its release: it says "transient", and means it.
_TRANSIENT_PAUSES_SECONDS = (0.1, 0.2, 0.4, 0.8)
_REJECTED_TRANSIENT = 2

# The state in which requests and responses go to and fro: PS3.8 Table 9-5.
_DATA_TRANSFER = "Sta6"

_PENDING = (0xFF00, 0xFF01)
_SUCCESS = 0x0000
_DOES_NOT_MATCH_SOP_CLASS = 0xA900  # PS3.4 Table C.4-1

Elements = list[tuple[int, bytes]]


class PacsLink:
    """An association for C-FIND, C-MOVE or both: open, use, close, in this order."""

    def __init__(self, peer: Peer, settings: Settings, *, find: bool = True, move: bool = False) -> None:
        self._peer = peer
        self._settings = settings
        self._contexts = [
            build_context(model, ImplicitVRLittleEndian)
            for model, is_needed in ((_FIND_MODEL, find), (_MOVE_MODEL, move))
            if is_needed
        ]
        self._entity = PeerEntity(peer.calling_ae, settings.pacs_response_seconds)
        self._entity.connection_timeout = settings.pacs_connect_seconds
        self._entity.acse_timeout = settings.pacs_association_seconds + _SPARE_SECONDS
        self._entity.dimse_timeout = settings.pacs_response_seconds + _SPARE_SECONDS
        self._entity.network_timeout = None
        self._association: Association | None = None
        self._message_id = 0
        self._pending_model: UID | None = None
        self._stopped: PacsFault | None = None
        self._wake = threading.Event()
        # Held while a request goes out, which takes no longer than to queue it: nothing is sent after an abort.
        self._sending = threading.Lock()
        self._late: tuple[float, str] | None = None

    @property
    def overdue(self) -> PeerTimeout | None:
        """The fault, once the PACS has let pass the time for what it owes us now."""
        late = self._late
        return PeerTimeout(late[1]) if late is not None and time.monotonic() > late[0] else None

    def open(self) -> None:
        """Connect and associate; of a host name with several addresses, the first that takes the connection.

        Raises: PeerUnreachable, PeerRefused, PeerTimeout, PeerAborted.
        """
        addresses = self._resolve()
        for pause_seconds in (*_TRANSIENT_PAUSES_SECONDS, None):
            association = self._associate(addresses)
            self._late = None
            self._check_not_stopped()
            if association is not None and association.is_established:
                self._association = association
                return
            if pause_seconds is None or not _is_transient(association):
                raise self._why_not_established(association)
            self._wake.wait(pause_seconds)

    def find(self, keys: Mapping[str, str]) -> Iterator[Elements]:
        """C-FIND: each match as (tag, value as it came).

        Raises: PeerFailed: a final status other than success, or a match that cannot be read; KeysRefused: that status
                is "identifier does not match SOP class"; PeerAborted, PeerTimeout.
        """
        for status, identifier in self._request(_FIND_MODEL, keys):
            if status.Status in _PENDING:
                if identifier is None:
                    raise PeerFailed("The PACS sent a match that cannot be read.")
                yield list(decode_identifier(identifier))
            elif status.Status == _DOES_NOT_MATCH_SOP_CLASS:
                raise KeysRefused()
            elif status.Status != _SUCCESS:
                raise PeerFailed(f"The PACS failed the query with status 0x{status.Status:04X}. Its log may say why.")

    def move(self, keys: Mapping[str, str]) -> tuple[int, MoveCounts]:
        """C-MOVE to the peer's move destination: its final status, and the last counts of sub-operations.

        Raises: PeerAborted, PeerTimeout, PeerRefused.
        """
        counts = MoveCounts()
        final = _SUCCESS
        for status, _ in self._request(_MOVE_MODEL, keys):
            final = status.Status
            counts = _update(counts, status)
        return final, counts

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
        try:
            found = socket.getaddrinfo(self._peer.host, self._peer.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            cause = getattr(error, "strerror", None) or "Unknown host"
            raise PeerUnreachable(f"{self._name()} cannot be found: {cause}. Check serverIP.", cause=cause) from error
        return list(dict.fromkeys(str(address[4][0]) for address in found))[:_MAX_ADDRESSES]

    def _end(self, association: Association) -> None:
        if association.is_established and self._pending_model is None:
            association.acse_timeout = _RELEASE_SECONDS
            association.release()
        else:
            self._break_off(association)
            deadline = time.monotonic() + _RELEASE_SECONDS
            while association.dul.state_machine.current_state != "Sta1" and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
        self._cut()
        association.kill()

    def _associate(self, addresses: list[str]) -> Association | None:
        association = None
        for address in addresses:
            self._check_not_stopped()
            association = self._entity.associate(
                address,
                self._peer.port,
                contexts=self._contexts,
                ae_title=self._peer.called_ae,
                evt_handlers=[(evt.EVT_CONN_OPEN, self._await_association), (evt.EVT_DIMSE_RECV, self._start_message)],
            )
            if self._connect_failure() is None:
                break
        return association

    def _await_association(self, _: evt.Event) -> None:
        seconds = self._settings.pacs_association_seconds
        text = f"{self._name()} did not answer the association request within {seconds:g} s."
        self._late = (time.monotonic() + seconds, text)
        if self._stopped is not None:
            self._cut()

    def _start_message(self, _: evt.Event) -> None:
        if self._entity.opened is not None:
            self._entity.opened.start_message()

    def _request(self, model: UID, keys: Mapping[str, str]) -> Iterator[tuple[Dataset, Dataset | None]]:
        """Send one request and give its responses, each with a status."""
        with self._sending:
            responses = self._send(model, encode_identifier(keys))
            self._pending_model = model
        self._await_response()
        for status, answer in responses:
            self._late = None
            self._check_not_stopped()
            if "Status" not in status:
                raise PeerAborted(f"{self._name()} broke off the association. Its log may say why.")
            if status.Status not in _PENDING:
                self._pending_model = None
            yield status, answer
            if self._pending_model is None:
                return
            self._await_response()

    def _send(self, model: UID, identifier: Dataset) -> Iterator[tuple[Dataset, Dataset | None]]:
        self._check_not_stopped()
        association = self._association
        if association is None or not association.is_established:
            raise PeerAborted(f"{self._name()} broke off the association.")
        self._message_id = self._message_id % 0xFFFF + 1
        try:
            if model == _FIND_MODEL:
                return association.send_c_find(identifier, model, self._message_id)
            return association.send_c_move(identifier, self._peer.move_destination, model, self._message_id)
        except ValueError as error:  # no presentation context
            raise PeerRefused(f"{self._name()} does not offer {model.name}.", cause=str(error)) from error
        except RuntimeError as error:  # no association any more
            raise PeerAborted(f"{self._name()} broke off the association.") from error

    def _await_response(self) -> None:
        seconds = self._settings.pacs_response_seconds
        self._late = (time.monotonic() + seconds, f"{self._name()} did not answer within {seconds:g} s.")

    def _break_off(self, association: Association) -> None:
        """Ask for the request that is under way to be cancelled, then abort; neither is waited for."""
        with contextlib.suppress(RuntimeError, ValueError):
            if self._pending_model is not None:
                association.send_c_cancel(self._message_id, query_model=self._pending_model)
            if association.is_established and association.dul.state_machine.current_state == _DATA_TRANSFER:
                # Not Association.abort: it waits for the peer, and lets another thread take the wake-up call of ours.
                association.is_established = False
                association.acse.send_abort(0x00)
                # Wakes the thread that waits for a response; it finds none.
                association.dimse.msg_queue.put((None, None))

    def _check_not_stopped(self) -> None:
        if self._stopped is not None:
            raise self._stopped

    def _connect_failure(self) -> OSError | None:
        return self._entity.opened.failure if self._entity.opened is not None else None

    def _why_not_established(self, association: Association | None) -> PacsFault:
        failure = self._connect_failure()
        if failure is not None:
            cause = "Connection timed out" if isinstance(failure, TimeoutError) else failure.strerror or str(failure)
            return PeerUnreachable(
                f"{self._name()} cannot be reached: {cause}. Check serverIP and serverPort.", cause=cause
            )
        answer = association.acceptor.primitive if association is not None else None
        if answer is None:
            return PeerAborted(f"{self._name()} broke off the association request. Check aec and aet.")
        if answer.result:
            reason = str(answer.reason_str)
            hint = "Try again later." if _is_transient(association) else "Check aec and aet."
            return PeerRefused(f"{self._name()} rejected the association: {reason}. {hint}", cause=reason)
        return PeerRefused(f"{self._name()} does not offer Study Root query/retrieve.")

    def _name(self) -> str:
        return f"The PACS {self._peer.called_ae} at {self._peer.host}:{self._peer.port}"


def _is_transient(association: Association | None) -> bool:
    """Whether the PACS rejected the association for now only (PS3.8 Table 9-21)."""
    answer = association.acceptor.primitive if association is not None else None
    return answer is not None and answer.result == _REJECTED_TRANSIENT


def _update(counts: MoveCounts, status: Dataset) -> MoveCounts:
    def latest(keyword: str, old: int | None) -> int | None:
        number = status.get(keyword)
        return number if isinstance(number, int) else old

    return MoveCounts(
        completed=latest("NumberOfCompletedSuboperations", counts.completed),
        failed=latest("NumberOfFailedSuboperations", counts.failed),
        warning=latest("NumberOfWarningSuboperations", counts.warning),
    )
