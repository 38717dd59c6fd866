"""A-ASSOCIATE: what the peer proposes, and our answer. No I/O.

pynetdicom's PDU and presentation context classes decode, negotiate and encode; before it is given to them, what the
peer sent is walked item by item, so that lengths are known to fit and what the standard says to ignore is left out.

Source: DICOM PS3.8 sections 9.3.2 and 9.3.3, PS3.7 Annex D.3.3.
"""

from __future__ import annotations

import re
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from pydicom.uid import UID
from pynetdicom import sop_class
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SCP_SCU_RoleSelectionNegotiation,
)
from pynetdicom.presentation import PresentationContext, build_context, negotiate_as_acceptor
from pynetdicom.sop_class import uid_to_service_class

from listener import pdu
from listener.contexts import ASSOCIATE_FIXED_BYTES as _FIXED_BYTES
from listener.contexts import VERIFICATION, Accepted, Context, Rejected, Served, titles
from listener.errors import PeerError
from listener.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_STORING_SERVICES = frozenset({"StorageServiceClass", "NonPatientObjectStorageServiceClass"})
# pynetdicom answers for a class that it does not know, private ones among them, with its base class.
_UNKNOWN_SERVICE = "ServiceClass"
# The registry lists these as transfer syntaxes; what they encode is not a DICOM data set.
_NOT_DATA_SETS = frozenset({"1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2", "1.2.840.10008.1.20"})

_EVERYTHING = Served()
_VERSION = struct.Struct(">H")
_ITEM = struct.Struct(">BxH")
_APPLICATION_CONTEXT_ITEM = 0x10
_PRESENTATION_CONTEXT_ITEM = 0x20
_ABSTRACT_SYNTAX_ITEM = 0x30
_TRANSFER_SYNTAX_ITEM = 0x40
_USER_INFORMATION_ITEM = 0x50
_MAXIMUM_LENGTH_ITEM = 0x51
_ROLE_ITEM = 0x54
# What decides about the answer. User identity, windows and extended negotiation may be left unanswered, and are.
_USED_SUB_ITEMS = {
    _PRESENTATION_CONTEXT_ITEM: frozenset({_ABSTRACT_SYNTAX_ITEM, _TRANSFER_SYNTAX_ITEM}),
    _USER_INFORMATION_ITEM: frozenset({_MAXIMUM_LENGTH_ITEM, _ROLE_ITEM}),
}
_UID = re.compile(rb"[0-9.]{1,64}\Z")
_CONTEXT_FIXED_BYTES = 4
_MAX_CONTEXTS = 128
# What pynetdicom raises on values that it cannot take: it checks with assert, struct, its setters, and pydicom's
# warnings, which are errors to some.
_DECODING_ERRORS = (
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    IndexError,
    AssertionError,
    struct.error,
    UserWarning,
)


def negotiate(body: bytes, max_pdu_bytes: int, served: Served = _EVERYTHING) -> Accepted | Rejected:
    """Answer an A-ASSOCIATE-RQ.

    Args:    body: the PDU after its 6-byte header. max_pdu_bytes: what we offer to receive.
             served: what contexts may be accepted.
    Raises:  PeerError: it cannot be decoded.
    """
    called_ae, calling_ae = titles(body)
    if not _VERSION.unpack_from(body)[0] & 1:
        return Rejected(called_ae, calling_ae, "protocol version", pdu.encode_reject(1, 2, 2))
    items = body[_FIXED_BYTES:]
    if len(items) > _MAX_REMEMBERED_BYTES:
        proposal = _answer(items, max_pdu_bytes, served)
    else:
        with _ONE_AT_A_TIME:
            proposal = _remembered_answer(items, max_pdu_bytes, served)
    if proposal is None:
        return Rejected(called_ae, calling_ae, "application context name", pdu.encode_reject(1, 1, 2))
    # PS3.8 Table 9-17: these fields go back as they came, whatever is in them.
    answer = proposal.answer[:10] + body[4:_FIXED_BYTES] + proposal.answer[74:]
    return Accepted(called_ae, calling_ae, proposal.contexts, proposal.peer_max_pdu_bytes, answer)


@dataclass(frozen=True)
class _Proposal:
    """What the answer to some items is, whoever sent them."""

    contexts: Mapping[int, Context]
    peer_max_pdu_bytes: int
    answer: bytes


def _answer(items: bytes, max_pdu_bytes: int, served: Served) -> _Proposal | None:
    """Negotiate the items of a proposal; None when its application is not DICOM's. Raises: PeerError."""
    request = _decode(items)
    if request.application_context_name != _APPLICATION_CONTEXT:
        return None
    proposed: list[PresentationContext] = request.presentation_context_definition_list
    results, roles = _negotiate_contexts(proposed, _proposed_roles(request), served)
    accepted = {
        int(each.context_id or 0): Context(str(each.abstract_syntax), str(each.transfer_syntax[0]))
        for each in results
        if each.result == 0
    }
    return _Proposal(
        MappingProxyType(accepted),
        int(request.maximum_length_received or 0),
        _encode_answer(results, roles, max_pdu_bytes),
    )


# A sender proposes the same each time, and storescu's 128 contexts take 30 ms of processor time to negotiate: 64 of
# them at once would wait two seconds. While one thread works an answer out the others wait for it instead of doing
# the same; the memory is bounded by entries and by bytes of each.
_MAX_REMEMBERED_BYTES = 65_536
_ONE_AT_A_TIME = threading.Lock()
_remembered_answer = lru_cache(maxsize=64)(_answer)


def _decode(proposed: bytes) -> A_ASSOCIATE:
    items = []
    contexts = 0
    for item_type, value in _items(proposed):
        if item_type == _APPLICATION_CONTEXT_ITEM:
            items.append(_item(item_type, _APPLICATION_CONTEXT.encode() if _is_our_application(value) else b"0"))
        elif item_type in _USED_SUB_ITEMS:
            contexts += item_type == _PRESENTATION_CONTEXT_ITEM
            fixed = _CONTEXT_FIXED_BYTES if item_type == _PRESENTATION_CONTEXT_ITEM else 0
            used = _USED_SUB_ITEMS[item_type]
            sub_items = [
                _item(kind, inner) for kind, inner in _items(value[fixed:]) if kind in used and _is_usable(kind, inner)
            ]
            items.append(_item(item_type, value[:fixed] + b"".join(sub_items)))
    if contexts > _MAX_CONTEXTS:
        raise PeerError("more presentation contexts than there are ids", pdu.INVALID_PARAMETER)
    # The titles are read elsewhere; pynetdicom refuses some that are in use, so it gets ones that it takes.
    fixed_fields = _VERSION.pack(1) + bytes(2) + b"CALLED".ljust(16) + b"CALLING".ljust(16) + bytes(32)
    content = fixed_fields + b"".join(items)
    decoder = A_ASSOCIATE_RQ()
    try:
        decoder.decode(pdu.HEADER.pack(pdu.A_ASSOCIATE_RQ, len(content)) + content)
        return decoder.to_primitive()
    except _DECODING_ERRORS as error:
        raise PeerError("an A-ASSOCIATE-RQ with values that cannot be used", pdu.INVALID_PARAMETER) from error


def _is_our_application(value: bytes) -> bool:
    return value.rstrip(b"\0 ") == _APPLICATION_CONTEXT.encode()


def _is_usable(kind: int, value: bytes) -> bool:
    """Whether a sub-item's UID is one; an abstract syntax that is not leaves its context without, which is refused."""
    if kind == _MAXIMUM_LENGTH_ITEM:
        return True
    uid = value[2:-2] if kind == _ROLE_ITEM else value
    return _UID.match(uid.rstrip(b"\0 ")) is not None


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset < len(data):
        if len(data) - offset < _ITEM.size:
            raise PeerError("an A-ASSOCIATE-RQ item that is cut off", pdu.INVALID_PARAMETER)
        item_type, length = _ITEM.unpack_from(data, offset)
        offset += _ITEM.size
        if length > len(data) - offset:
            raise PeerError("an A-ASSOCIATE-RQ item that runs past its end", pdu.INVALID_PARAMETER)
        yield item_type, data[offset : offset + length]
        offset += length


def _item(item_type: int, value: bytes) -> bytes:
    return _ITEM.pack(item_type, len(value)) + value


def _proposed_roles(request: A_ASSOCIATE) -> dict[UID, tuple[bool | None, bool | None]]:
    return {
        item.sop_class_uid: (bool(item.scu_role), bool(item.scp_role))
        for item in request.user_information
        if isinstance(item, SCP_SCU_RoleSelectionNegotiation) and item.sop_class_uid is not None
    }


def _negotiate_contexts(
    proposed: list[PresentationContext], roles: dict[UID, tuple[bool | None, bool | None]], served: Served
) -> tuple[list[PresentationContext], list[SCP_SCU_RoleSelectionNegotiation]]:
    """Each context on its own, so that the order of transfer syntaxes is the one that it was proposed in."""
    results: list[PresentationContext] = []
    role_answers: dict[str, SCP_SCU_RoleSelectionNegotiation] = {}
    for context in proposed:
        if not context.abstract_syntax or not context.transfer_syntax:
            raise PeerError("a presentation context without a syntax", pdu.INVALID_PARAMETER)
        ours = []
        if _is_wanted(context.abstract_syntax, served):
            supported = build_context(
                context.abstract_syntax,
                [
                    each
                    for each in context.transfer_syntax
                    if is_known_transfer_syntax(each) and each in (served.transfer_syntaxes or (each,))
                ],
            )
            supported.scu_role, supported.scp_role = True, False
            ours.append(supported)
        answered, answered_roles = negotiate_as_acceptor([context], ours, roles)
        results += answered
        role_answers.update({str(each.sop_class_uid): each for each in answered_roles})
    return results, list(role_answers.values())


def _is_wanted(abstract_syntax: str, served: Served) -> bool:
    """C-ECHO is served whatever the SOP classes are."""
    if served.sop_classes and abstract_syntax != VERIFICATION and abstract_syntax not in served.sop_classes:
        return False
    return is_served(abstract_syntax)


@lru_cache(maxsize=1024)
def is_served(abstract_syntax: str) -> bool:
    """Verification, and whatever is not known to belong to a service other than storage.

    So unknown and private storage SOP classes are served too. Sources: PS3.4 Annexes A, B and GG.
    """
    if abstract_syntax == VERIFICATION:
        return True
    if UID(abstract_syntax).is_transfer_syntax or abstract_syntax in _WELL_KNOWN_INSTANCES:
        return False
    service = uid_to_service_class(UID(abstract_syntax)).__name__
    return service in _STORING_SERVICES or service == _UNKNOWN_SERVICE


_WELL_KNOWN_INSTANCES = frozenset(
    {
        str(sop_class.DisplaySystemInstance),
        str(sop_class.PrinterConfigurationRetrievalInstance),
        str(sop_class.PrinterInstance),
    }
)


@lru_cache(maxsize=256)
def is_known_transfer_syntax(uid: str) -> bool:
    """One that pydicom's registry (PS3.6 Annex A) names, and that encodes a DICOM data set."""
    known = UID(uid)
    return not known.is_private and known.is_transfer_syntax and uid not in _NOT_DATA_SETS


def _encode_answer(
    results: list[PresentationContext], roles: list[SCP_SCU_RoleSelectionNegotiation], max_pdu_bytes: int
) -> bytes:
    maximum = MaximumLengthNotification()
    maximum.maximum_length_received = max_pdu_bytes
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    primitive = A_ASSOCIATE()
    primitive.application_context_name = UID(_APPLICATION_CONTEXT)
    primitive.called_ae_title = "CALLED"
    primitive.calling_ae_title = "CALLING"
    primitive.result = 0
    primitive.result_source = 1
    primitive.presentation_context_definition_results_list = results
    primitive.user_information = [maximum, implementation, version, *roles]
    encoder = A_ASSOCIATE_AC()
    encoder.from_primitive(primitive)
    answer: bytes = encoder.encode()
    return answer
