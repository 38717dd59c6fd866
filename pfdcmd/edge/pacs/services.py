"""The services of a PACS, each on an association that is open: C-ECHO, C-FIND, C-MOVE, C-GET.

Source: DICOM PS3.4 Annex C (Query/Retrieve), PS3.7 section 9.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydicom.dataset import Dataset
from pydicom.uid import UID, ImplicitVRLittleEndian
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.presentation import build_context

from pfdcmd.edge.pacs.identifier import decode_identifier, encode_identifier
from pfdcmd.edge.pacs.link import PENDING, PacsLink, Proposal, Response
from pfdcmd.errors import KeysRefused, ParameterFault, PeerFailed
from pfdcmd.names import parse_uid
from pfdcmd.pacs.outcome import MoveCounts, MoveOutcome, outcome_of_status

VERIFICATION = UID("1.2.840.10008.1.1")
PATIENT_FIND = UID("1.2.840.10008.5.1.4.1.2.1.1")
STUDY_FIND = UID("1.2.840.10008.5.1.4.1.2.2.1")
STUDY_MOVE = UID("1.2.840.10008.5.1.4.1.2.2.2")
STUDY_GET = UID("1.2.840.10008.5.1.4.1.2.2.3")

_SUCCESS = 0x0000
_DOES_NOT_MATCH_SOP_CLASS = 0xA900  # PS3.4 Table C.4-1
_FAILED_INSTANCES_TAG = 0x00080058

Elements = list[tuple[int, bytes]]


def proposal(*models: UID, is_relational: bool = False) -> Proposal:
    """An association for these models, in the transfer syntax that every PACS has (PS3.5 section 10.1).

    is_relational: for queries without the unique keys of the levels above (PS3.4 section C.5.1.1.1).
    """
    contexts = tuple(build_context(model, ImplicitVRLittleEndian) for model in models)
    return Proposal(contexts, tuple(_relational(model) for model in models) if is_relational else ())


def _relational(model: UID) -> SOPClassExtendedNegotiation:
    item = SOPClassExtendedNegotiation()
    item.sop_class_uid = model
    item.service_class_application_information = b"\x01"
    return item


def echo(link: PacsLink) -> None:
    """C-ECHO. Raises: PeerFailed: a status other than success; as PacsLink.request."""

    def send(association: Association, message_id: int) -> Iterator[Response]:
        yield association.send_c_echo(message_id), None

    for status, _ in link.request(VERIFICATION, send):
        if status.Status != _SUCCESS:
            raise PeerFailed(f"The PACS answered C-ECHO with status 0x{status.Status:04X}. Its log may say why.")


def find(link: PacsLink, model: UID, identifier: Dataset) -> Iterator[Elements]:
    """C-FIND: each match as (tag, value as it came).

    Raises: PeerFailed: a final status other than success, or a match that cannot be read; KeysRefused: that status is
            "identifier does not match SOP class"; as PacsLink.request.
    """

    def send(association: Association, message_id: int) -> Iterator[Response]:
        return association.send_c_find(identifier, model, message_id)

    for status, match in link.request(model, send):
        if status.Status in PENDING:
            if match is None:
                raise PeerFailed("The PACS sent a match that cannot be read.")
            yield list(decode_identifier(match))
        elif status.Status == _DOES_NOT_MATCH_SOP_CLASS:
            raise KeysRefused()
        elif status.Status != _SUCCESS:
            raise PeerFailed(f"The PACS failed the query with status 0x{status.Status:04X}. Its log may say why.")


def move(link: PacsLink, keys: Mapping[str, str]) -> MoveOutcome:
    """C-MOVE to the peer's move destination. Raises: as PacsLink.request."""
    identifier = encode_identifier(keys)

    def send(association: Association, message_id: int) -> Iterator[Response]:
        return association.send_c_move(identifier, link.peer.move_destination, STUDY_MOVE, message_id)

    return _outcome(link, link.request(STUDY_MOVE, send))


def get(link: PacsLink, keys: Mapping[str, str]) -> MoveOutcome:
    """C-GET; images go to the proposal's on_store as they come. Raises: as PacsLink.request."""
    identifier = encode_identifier(keys)

    def send(association: Association, message_id: int) -> Iterator[Response]:
        return association.send_c_get(identifier, STUDY_GET, message_id)

    return _outcome(link, link.request(STUDY_GET, send))


def _outcome(link: PacsLink, responses: Iterator[Response]) -> MoveOutcome:
    final = _SUCCESS
    failed: tuple[str, ...] = ()
    for status, identifier in responses:
        final, link.counts = status.Status, link.counts.updated(_counts(status))
        if identifier is not None:
            failed = _failed_instances(identifier)
    return outcome_of_status(final, link.counts, failed, link.message_id)


def _counts(status: Dataset) -> MoveCounts:
    def number(keyword: str) -> int | None:
        value = status.get(keyword)
        return value if isinstance(value, int) else None

    return MoveCounts(
        completed=number("NumberOfCompletedSuboperations"),
        failed=number("NumberOfFailedSuboperations"),
        warning=number("NumberOfWarningSuboperations"),
        remaining=number("NumberOfRemainingSuboperations"),
    )


def _failed_instances(identifier: Dataset) -> tuple[str, ...]:
    raw = dict(decode_identifier(identifier)).get(_FAILED_INSTANCES_TAG, b"")
    return tuple(filter(None, map(_uid_or_nothing, raw.decode("latin-1").split("\\"))))


def _uid_or_nothing(text: str) -> str:
    try:
        return parse_uid(text, "SOPInstanceUID")
    except ParameterFault:
        return ""
