"""C-GET: images come on the association that asked for them, and each is passed on to our own listener at once.

So filing and durability stay the listener's: the PACS is given the status that the listener gave. One image at a time
is in memory, about three times over (as it came, as it is sent, and in fragments on their way).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.uid import UID, ImplicitVRLittleEndian
from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.presentation import PresentationContext, StoragePresentationContexts, build_context, build_role

from pfdcmd.edge.pacs.link import PacsLink, Proposal, Response
from pfdcmd.edge.pacs.services import STUDY_GET, get
from pfdcmd.errors import PacsFault, PeerAborted, PeerTimeout
from pfdcmd.pacs.delivery import Delivery
from pfdcmd.pacs.getcontexts import storage_proposals
from pfdcmd.pacs.outcome import MoveOutcome, outcome_of_fault
from pfdcmd.pacs.peer import Peer
from pfdcmd.settings import Settings

# PS3.4 Table B.2-1.
_OUT_OF_RESOURCES = 0xA700
_CANNOT_UNDERSTAND = 0xC000

_log = logging.getLogger(__name__)


class GettingLink:
    """An association for C-GET with a PACS, and one to our listener that is opened with the first image."""

    def __init__(self, peer: Peer, settings: Settings, sop_classes: Iterable[str], deliver_to: Delivery) -> None:
        """sop_classes: those of the images that will come; empty when nobody knows, for the usual ones."""
        self._settings = settings
        self._receiver = replace(
            peer,
            host=deliver_to.host,
            port=deliver_to.port,
            called_ae=deliver_to.called_ae,
            tls=deliver_to.tls,
        )
        self._link = PacsLink(peer, settings, _proposal(sop_classes, settings.pacs_max_image_bytes, self._take))
        self._delivering: PacsLink | None = None
        self._undeliverable: PacsFault | None = None
        self._stopped: PacsFault | None = None

    @property
    def overdue(self) -> PeerTimeout | None:
        """As PacsLink.overdue, of the PACS or of our listener."""
        delivering = self._delivering
        return (delivering.overdue if delivering is not None else None) or self._link.overdue

    def open(self) -> None:
        """As PacsLink.open."""
        self._link.open()

    def get(self, keys: Mapping[str, str]) -> MoveOutcome:
        """C-GET of what the keys select. Raises: as PacsLink.request."""
        outcome = get(self._link, keys)
        if self._undeliverable is None:
            return outcome
        fault = self._undeliverable
        to = f"{self._receiver.called_ae} at {self._receiver.host}:{self._receiver.port}"
        return replace(
            outcome_of_fault(PacsFault(f"Our listener {to} did not take an image: {fault.cause or fault.message}")),
            status=outcome.status,
            counts=outcome.counts,
            failed_instances=outcome.failed_instances,
            message_id=outcome.message_id,
        )

    def cancel(self) -> bool:
        """As PacsLink.cancel."""
        return self._link.cancel()

    def stop(self, fault: PacsFault) -> None:
        """As PacsLink.stop, of both."""
        self._stopped = fault
        self._link.stop(fault)
        if self._delivering is not None:
            self._delivering.stop(fault)

    def close(self) -> None:
        """As PacsLink.close, of both."""
        self._link.close()
        self._leave_listener()

    def _take(self, event: evt.Event) -> int:
        """An image has come: the status that our listener gives it, or A700 when it cannot be delivered."""
        self._link.stop_clock()
        try:
            image = event.request
            if not isinstance(image, C_STORE) or image.AffectedSOPClassUID is None:
                return _CANNOT_UNDERSTAND
            return self._deliver(image, image.AffectedSOPClassUID, event.context.transfer_syntax)
        except PacsFault as fault:
            _log.error("an image that came by C-GET could not be passed on to our listener: %s", fault.message)
            if self._undeliverable is None:
                # No other will fare better: the PACS need not send them.
                self._undeliverable = fault
                self._link.cancel()
            return _OUT_OF_RESOURCES
        finally:
            self._link.start_clock()

    def _deliver(self, image: C_STORE, sop_class: UID, transfer_syntax: str) -> int:
        if self._undeliverable is not None:
            return _OUT_OF_RESOURCES
        try:
            return _store(self._listener(), image, sop_class, transfer_syntax, self._link)
        except PeerAborted:
            # A worker of the listener's may have died or been replaced; another takes the same image.
            self._leave_listener()
            return _store(self._listener(), image, sop_class, transfer_syntax, self._link)

    def _listener(self) -> PacsLink:
        if self._delivering is None:
            self._delivering = PacsLink(self._receiver, self._settings, _as_agreed(self._link.accepted))
            if self._stopped is not None:
                raise self._stopped
            self._delivering.open()
        return self._delivering

    def _leave_listener(self) -> None:
        if self._delivering is not None:
            self._delivering.close()
            self._delivering = None


def _proposal(sop_classes: Iterable[str], max_bytes: int, take: Callable[[evt.Event], int]) -> Proposal:
    known = list(sop_classes) or [str(context.abstract_syntax) for context in StoragePresentationContexts]
    storage = storage_proposals(known)
    contexts = [build_context(STUDY_GET, ImplicitVRLittleEndian)]
    contexts += [build_context(sop_class, list(syntaxes)) for sop_class, syntaxes in storage]
    # We are the one that stores: PS3.7 section D.3.3.4.
    roles = [build_role(sop_class, scp_role=True) for sop_class in dict.fromkeys(name for name, _ in storage)]
    return Proposal(tuple(contexts), tuple(roles), max_bytes, take)


def _as_agreed(accepted: Iterable[PresentationContext]) -> Proposal:
    """The storage contexts of the C-GET association, for the one to our listener."""
    pairs = {
        (str(each.abstract_syntax), str(each.transfer_syntax[0]))
        for each in accepted
        if each.abstract_syntax != STUDY_GET
    }
    return Proposal(tuple(build_context(*pair) for pair in sorted(pairs)))


def _store(link: PacsLink, image: C_STORE, sop_class: UID, transfer_syntax: str, origin: PacsLink) -> int:
    """C-STORE of an image as it came, byte for byte, naming us and our C-GET as its origin. Raises: PacsFault."""
    context_id = next(
        (
            each.context_id
            for each in link.accepted
            if each.abstract_syntax == sop_class and each.transfer_syntax[0] == transfer_syntax
        ),
        None,
    )
    if context_id is None:
        return _CANNOT_UNDERSTAND

    def send(association: Association, message_id: int) -> Iterator[Response]:
        association.dimse.send_msg(_copy(image, message_id, origin), context_id)
        return _status_of(association)

    statuses = [int(status.Status) for status, _ in link.request(sop_class, send)]
    return statuses[-1]


def _copy(image: C_STORE, message_id: int, origin: PacsLink) -> C_STORE:
    copy = C_STORE()
    copy.MessageID = message_id
    copy.AffectedSOPClassUID = image.AffectedSOPClassUID
    copy.AffectedSOPInstanceUID = image.AffectedSOPInstanceUID
    copy.Priority = image.Priority
    copy.MoveOriginatorApplicationEntityTitle = origin.peer.calling_ae
    copy.MoveOriginatorMessageID = origin.message_id
    copy.DataSet = image.DataSet if image.DataSet is not None else BytesIO()
    return copy


def _status_of(association: Association) -> Iterator[Response]:
    _, response = association.dimse.get_msg(block=True)
    status = Dataset()
    if isinstance(response, C_STORE) and response.is_valid_response:
        status.Status = response.Status
    yield status, None
