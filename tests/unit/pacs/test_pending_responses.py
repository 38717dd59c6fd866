"""Pending responses are read as pynetdicom writes them; what is anything else is left to pynetdicom."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_FIND_RSP, C_GET_RSP, C_MOVE_RSP
from pynetdicom.dimse_primitives import C_FIND, C_GET, C_MOVE

from pfdcmd.pacs.outcome import MoveCounts
from pfdcmd.pacs.pending import read_pending

MODELS = {
    C_MOVE: "1.2.840.10008.5.1.4.1.2.2.2",
    C_GET: "1.2.840.10008.5.1.4.1.2.2.3",
    C_FIND: "1.2.840.10008.5.1.4.1.2.2.1",
}
MESSAGES = {C_MOVE: C_MOVE_RSP, C_GET: C_GET_RSP, C_FIND: C_FIND_RSP}


def response(kind, status=0xFF00, *, identifier=None, max_bytes=16_384, **counts):
    """The fragments of a response, each a control header and its bytes."""
    primitive = kind()
    primitive.MessageIDBeingRespondedTo = 7
    primitive.AffectedSOPClassUID = MODELS[kind]
    primitive.Status = status
    for keyword, number in counts.items():
        setattr(primitive, keyword, number)
    if identifier is not None:
        primitive.Identifier = BytesIO(identifier)
    message = MESSAGES[kind]()
    message.primitive_to_message(primitive)
    message.context_id = 1
    return [value for each in message.encode_msg(1, max_bytes) for _, value in each.presentation_data_value_list]


@pytest.mark.parametrize("kind", [C_MOVE, C_GET])
def test_every_count_of_a_pending_response_is_read(kind):
    (fragment,) = response(
        kind,
        NumberOfRemainingSuboperations=65535,
        NumberOfCompletedSuboperations=258,
        NumberOfFailedSuboperations=3,
        NumberOfWarningSuboperations=0,
    )
    assert read_pending(fragment) == MoveCounts(completed=258, failed=3, warning=0, remaining=65535)


def test_counts_may_be_left_out():
    (fragment,) = response(C_MOVE, NumberOfCompletedSuboperations=4)
    assert read_pending(fragment) == MoveCounts(completed=4)


@pytest.mark.parametrize(
    "fragments",
    [
        pytest.param(response(C_MOVE, 0x0000, NumberOfCompletedSuboperations=4), id="final"),
        pytest.param(response(C_MOVE, 0xB000, identifier=b"\x08\x00\x58\x00\x00\x00\x00\x00"), id="with an identifier"),
        pytest.param(response(C_FIND, 0xFF00, identifier=b"\x08\x00\x52\x00\x00\x00\x00\x00"), id="a match"),
        pytest.param(response(C_MOVE, NumberOfCompletedSuboperations=4, max_bytes=64), id="in fragments"),
        pytest.param([b""], id="nothing"),
    ],
)
def test_anything_else_is_not_taken(fragments):
    assert [read_pending(fragment) for fragment in fragments] == [None] * len(fragments)


@given(st.binary(max_size=200).map(lambda body: b"\x03" + body))
@example(b"\x03" + b"\0" * 8)
def test_rubbish_is_none(fragment):
    assert read_pending(fragment) is None


@given(st.integers(0, 200))
def test_a_response_that_is_cut_off_within_an_element_is_none(length):
    (fragment,) = response(C_MOVE, NumberOfCompletedSuboperations=4)
    counts = read_pending(fragment[:length])
    assert counts is None or length >= len(fragment) - 10


def test_later_counts_stand_and_earlier_ones_where_there_are_none():
    earlier = MoveCounts(completed=3, failed=1, warning=None, remaining=6)
    assert earlier.updated(MoveCounts(completed=4, remaining=5)) == MoveCounts(4, 1, None, 5)
    assert earlier.updated(MoveCounts()) == earlier
