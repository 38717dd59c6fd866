"""A-ASSOCIATE: proposals of every kind and our answers, decoded by pynetdicom."""

import struct

import pytest
from dicomwire import (
    CT,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    VERIFICATION,
    associate_rq,
    context_item,
    item,
    user_information,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import JPEG2000Lossless, RLELossless
from pynetdicom import sop_class
from pynetdicom.pdu import A_ASSOCIATE_AC

from listener.errors import PeerError
from listener.negotiation import Accepted, Context, Rejected, negotiate

PRIVATE = "1.2.826.0.1.3680043.999.1"


def propose(*contexts, **more):
    return negotiate(associate_rq(*contexts, **more)[6:], 1 << 20)


def answered(accepted):
    """Context id -> result, as the peer reads it."""
    decoder = A_ASSOCIATE_AC()
    decoder.decode(accepted.answer)
    return {each.context_id: each.result for each in decoder.presentation_context}


def test_the_first_transfer_syntax_that_is_known_wins():
    accepted = propose(
        context_item(1, CT, "1.2.3.4.5", JPEG2000Lossless, EXPLICIT_LITTLE),
        context_item(3, CT, IMPLICIT_LITTLE, RLELossless),
    )
    assert accepted.contexts == {1: Context(CT, JPEG2000Lossless), 3: Context(CT, IMPLICIT_LITTLE)}


def test_results_of_what_is_not_served():
    accepted = propose(
        context_item(1, VERIFICATION, IMPLICIT_LITTLE),
        context_item(3, CT, "1.2.3.4.5"),
        context_item(5, "1.2.840.10008.5.1.4.1.2.1.1", IMPLICIT_LITTLE),
        context_item(7, "1.2.840.10008.5.1.1.9", IMPLICIT_LITTLE),
        context_item(9, "1.2.840.10008.1.20.1", IMPLICIT_LITTLE),
    )
    assert answered(accepted) == {1: 0, 3: 4, 5: 3, 7: 3 if accepted.contexts.get(7) is None else 0, 9: 3}
    assert 1 in accepted.contexts


@pytest.mark.parametrize("group", ["_STORAGE_CLASSES", "_NON_PATIENT_OBJECT_CLASSES"])
def test_every_storage_class_is_served(group):
    for uid in getattr(sop_class, group).values():
        assert propose(context_item(1, uid, IMPLICIT_LITTLE)).contexts, uid


@pytest.mark.parametrize(
    "group",
    ["_QR_CLASSES", "_BASIC_WORKLIST_CLASSES", "_PRINT_MANAGEMENT_CLASSES", "_PROCEDURE_STEP_CLASSES",
     "_STORAGE_COMMITMENT_CLASSES", "_UNIFIED_PROCEDURE_STEP_CLASSES"],
)  # fmt: skip
def test_other_services_are_not(group):
    for uid in getattr(sop_class, group).values():
        assert not propose(context_item(1, uid, IMPLICIT_LITTLE)).contexts, uid


@pytest.mark.parametrize("uid", [PRIVATE, "1.2.840.10008.5.1.4.1.1.9999", "2.25.1"])
def test_unknown_and_private_classes_are_served(uid):
    assert propose(context_item(1, uid, IMPLICIT_LITTLE)).contexts == {1: Context(uid, IMPLICIT_LITTLE)}


@pytest.mark.parametrize("title", [b"ANY", b"", b"with\\slash", b"\xff\xfe", b"ABCDEFGHIJKLMNOP", b"\x00\x01"])
def test_any_called_title_is_served_and_given_back(title):
    accepted = propose(context_item(1, CT, IMPLICIT_LITTLE), called=title, calling=title)
    assert isinstance(accepted, Accepted)
    assert accepted.answer[10:42] == title.ljust(16) * 2


def test_128_contexts():
    contexts = [context_item(2 * i + 1, CT, IMPLICIT_LITTLE, EXPLICIT_LITTLE) for i in range(128)]
    assert len(propose(*contexts).contexts) == 128
    with pytest.raises(PeerError):
        propose(*contexts, context_item(1, CT, IMPLICIT_LITTLE))


def test_the_maximum_lengths():
    accepted = propose(context_item(1, CT, IMPLICIT_LITTLE), information=user_information(4321))
    assert accepted.peer_max_pdu_bytes == 4321
    assert struct.pack(">BBHI", 0x51, 0, 4, 1 << 20) in accepted.answer


def test_user_identity_and_what_is_unknown_do_not_matter():
    identity = item(0x58, b"\x02\x01\x00\x04user\x00\x04pass")
    window = item(0x53, struct.pack(">HH", 5, 5))
    unknown = item(0x77, b"whatever") + item(0x54, b"\0\xff1")
    accepted = propose(
        context_item(1, CT, IMPLICIT_LITTLE),
        unknown,
        information=user_information(extra=identity + window + unknown),
    )
    assert accepted.contexts


@pytest.mark.parametrize(("scu", "scp", "result"), [(1, 0, 0), (1, 1, 0), (0, 1, 1)])
def test_roles(scu, scp, result):
    role = item(0x54, struct.pack(">H", len(CT)) + CT.encode() + bytes((scu, scp)))
    accepted = propose(context_item(1, CT, IMPLICIT_LITTLE), information=user_information(extra=role))
    assert answered(accepted) == {1: result}
    if not result:
        # The peer may be SCU, never SCP.
        assert item(0x54, struct.pack(">H", len(CT)) + CT.encode() + b"\1\0") in accepted.answer


def test_another_protocol_version_or_application_is_rejected():
    rejected = propose(context_item(1, CT, IMPLICIT_LITTLE), version=2)
    assert isinstance(rejected, Rejected)
    assert rejected.answer[7:] == b"\x01\x02\x02"
    rejected = propose(context_item(1, CT, IMPLICIT_LITTLE), application="1.2.3")
    assert isinstance(rejected, Rejected)
    assert rejected.answer[7:] == b"\x01\x01\x02"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        bytes(67),
        associate_rq(b"\x20\0\xff\xff")[6:],
        associate_rq(b"\x20")[6:],
        associate_rq(item(0x20, b""))[6:],
        associate_rq(item(0x20, b"\1\0\0\0"))[6:],
        associate_rq(context_item(2, CT, IMPLICIT_LITTLE))[6:],
        associate_rq(context_item(1, "", IMPLICIT_LITTLE))[6:],
        associate_rq(context_item(1, CT))[6:],
        associate_rq(context_item(1, "1" * 65, IMPLICIT_LITTLE))[6:],
        associate_rq(context_item(1, CT, IMPLICIT_LITTLE), information=item(0x50, item(0x51, b"\1")))[6:],
    ],
)
def test_what_cannot_be_decoded_is_the_peers_fault(body):
    with pytest.raises(PeerError):
        negotiate(body, 16384)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_rubbish_is_the_peers_fault_or_an_answer(data):
    body = bytearray(
        associate_rq(
            context_item(1, CT, IMPLICIT_LITTLE),
            context_item(3, PRIVATE, EXPLICIT_LITTLE),
            information=user_information(extra=item(0x58, b"\x01\x01\x00\x04user\x00\x00")),
        )[6:]
    )
    for _ in range(data.draw(st.integers(1, 6))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        answer = negotiate(bytes(body[: data.draw(st.integers(60, len(body)))]), 16384)
    except PeerError:
        return
    assert answer.answer[0] in (2, 3)


def test_a_proposal_that_came_before_is_answered_with_its_own_titles():
    proposal = (context_item(1, CT, IMPLICIT_LITTLE), context_item(3, VERIFICATION, IMPLICIT_LITTLE))
    for title in (b"FIRST", b"SECOND"):
        accepted = propose(*proposal, called=title, calling=title[::-1])
        assert (accepted.called_ae, accepted.calling_ae) == (title.decode(), title[::-1].decode())
        assert accepted.answer[10:42] == title.ljust(16) + title[::-1].ljust(16)
        assert answered(accepted) == {1: 0, 3: 0}
    other = negotiate(associate_rq(*proposal)[6:], 4096)
    assert struct.pack(">BBHI", 0x51, 0, 4, 4096) in other.answer
