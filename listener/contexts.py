"""What an association's negotiation comes to: values that others need without its machinery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from listener import pdu
from listener.admission import Refusal
from listener.errors import PeerError

VERIFICATION = "1.2.840.10008.1.1"
ASSOCIATE_FIXED_BYTES = 68


@dataclass(frozen=True)
class Context:
    """An accepted presentation context."""

    abstract_syntax: str
    transfer_syntax: str


@dataclass(frozen=True)
class Served:
    """The SOP classes and transfer syntaxes that are accepted; an empty set stands for all that can be."""

    sop_classes: frozenset[str] = frozenset()
    transfer_syntaxes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Accepted:
    """The peer's proposal as accepted, and the A-ASSOCIATE-AC that says so."""

    called_ae: str
    calling_ae: str
    contexts: Mapping[int, Context]
    peer_max_pdu_bytes: int
    answer: bytes


@dataclass(frozen=True)
class Rejected:
    """Why the peer's proposal is refused, and the A-ASSOCIATE-RJ that says so."""

    called_ae: str
    calling_ae: str
    why: str
    answer: bytes


def titles(body: bytes) -> tuple[str, str]:
    """The called and the calling AE title of an A-ASSOCIATE-RQ, without padding. Raises: PeerError: it is too short.

    Source: DICOM PS3.8 Table 9-11.
    """
    if len(body) < ASSOCIATE_FIXED_BYTES:
        raise PeerError("an A-ASSOCIATE-RQ that is too short", pdu.INVALID_PARAMETER)
    return _title(body[4:20]), _title(body[20:36])


def reject(body: bytes, refusal: Refusal) -> Rejected:
    """Refuse an A-ASSOCIATE-RQ, whatever else is in it. Raises: PeerError: it is too short."""
    called_ae, calling_ae = titles(body)
    answer = pdu.encode_reject(refusal.result, refusal.source, refusal.reason)
    return Rejected(called_ae, calling_ae, refusal.text, answer)


def _title(field: bytes) -> str:
    return field.decode("ascii", "replace").strip(" \0")
