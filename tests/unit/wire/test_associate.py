"""Association requests and their answers as bytes."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.pdu import A_ASSOCIATE_RQ

from pfdcmd.errors import PeerFailed
from pfdcmd.pacs.negotiation import Acceptance, Model, Rejection
from pfdcmd.wire.associate import MAX_ANSWER_BYTES, decode_answer, decode_header, encode_request

SYNTAXES = tuple(Model)


def item(kind, value):
    return struct.pack(">BBH", kind, 0, len(value)) + value


def accepted(*results, version=b"ORTHANC_1"):
    contexts = b"".join(
        item(0x21, bytes([2 * index + 1, 0, result, 0]) + item(0x40, b"1.2.840.10008.1.2"))
        for index, result in enumerate(results)
    )
    return bytes(68) + item(0x10, b"1.2.840.10008.3.1.1.1") + contexts + item(0x50, item(0x55, version))


def test_another_implementation_reads_the_request():
    request = A_ASSOCIATE_RQ()
    request.decode(encode_request("CALLED", "CALLING", SYNTAXES))
    assert request.called_ae_title == "CALLED"
    assert request.calling_ae_title == "CALLING"
    contexts = request.presentation_context
    assert [each.context_id for each in contexts] == [1, 3, 5, 7, 9, 11]
    assert [each.abstract_syntax for each in contexts] == list(SYNTAXES)
    assert request.user_information.maximum_length == 16_384


def test_what_is_accepted_is_told_by_context():
    answer = decode_answer(2, accepted(0, 3, 0, 4), SYNTAXES)
    assert answer == Acceptance((SYNTAXES[0], SYNTAXES[2]), "ORTHANC_1")


@pytest.mark.parametrize(
    ("body", "called", "calling", "transient"),
    [
        (bytes([0, 1, 1, 7]), True, False, False),
        (bytes([0, 1, 1, 3]), False, True, False),
        (bytes([0, 2, 3, 2]), False, False, True),
        (bytes([0, 1, 2, 7]), False, False, False),
    ],
)
def test_a_rejection_says_whose_title_is_wrong(body, called, calling, transient):
    answer = decode_answer(3, body, SYNTAXES)
    assert isinstance(answer, Rejection)
    assert (answer.is_of_called_ae, answer.is_of_calling_ae, answer.is_transient) == (called, calling, transient)


def test_an_abort_is_no_answer():
    assert decode_answer(7, bytes(4), SYNTAXES) is None


@pytest.mark.parametrize(
    "header", [b"HTTP/1", b"\x15\x03\x03\x00\x02\x02", struct.pack(">BBI", 2, 0, MAX_ANSWER_BYTES + 1)]
)
def test_what_does_not_begin_as_an_answer_is_no_dicom(header):
    with pytest.raises(PeerFailed, match="does not speak DICOM"):
        decode_header(header)


@pytest.mark.parametrize("end", range(70, len(accepted(0, 0)), 7))
def test_an_answer_that_is_cut_off_is_refused_or_says_less(end):
    try:
        answer = decode_answer(2, accepted(0, 0)[:end], SYNTAXES)
    except PeerFailed:
        return
    assert set(answer.accepted) <= set(SYNTAXES[:2])


@given(kind=st.integers(0, 255), body=st.binary(max_size=300))
def test_no_bytes_do_more_than_be_refused(kind, body):
    try:
        answer = decode_answer(kind, body, SYNTAXES)
    except PeerFailed:
        return
    assert answer is None or isinstance(answer, Acceptance | Rejection)
