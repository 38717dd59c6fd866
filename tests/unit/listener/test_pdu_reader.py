"""PDUs: the same vectors fed whole, byte by byte, and with trailing bytes."""

import pytest
from dicomwire import ABORT_BY_USER, RELEASE_RP, RELEASE_RQ, p_data, pdu, pdv

from listener import pdu as codec
from listener.errors import PeerError
from listener.pdu import ControlPdu, Fragment, PduReader

VECTORS = {
    "A-ASSOCIATE-RQ": (pdu(1, b"x" * 100), [(1, b"x" * 100)]),
    "A-ASSOCIATE-AC": (pdu(2, b"y" * 80), [(2, b"y" * 80)]),
    "A-ASSOCIATE-RJ": (pdu(3, b"\0\1\1\3"), [(3, b"\0\1\1\3")]),
    "P-DATA-TF, one item": (p_data(pdv(1, 3, b"abcdef")), [(1, True, True, b"abcdef")]),
    "P-DATA-TF, two items": (
        p_data(pdv(1, 3, b"ab"), pdv(3, 0, b"cd")),
        [(1, True, True, b"ab"), (3, False, False, b"cd")],
    ),
    "P-DATA-TF, an empty last fragment": (p_data(pdv(1, 2, b"")), [(1, False, True, b"")]),
    "P-DATA-TF without items": (p_data(), []),
    "A-RELEASE-RQ": (RELEASE_RQ, [(5, bytes(4))]),
    "A-RELEASE-RP": (RELEASE_RP, [(6, bytes(4))]),
    "A-ABORT": (ABORT_BY_USER, [(7, bytes(4))]),
    "an empty A-ASSOCIATE-RQ": (pdu(1, b""), [(1, b"")]),
}


def simplify(events):
    """Control PDUs as (type, body); fragments of one item joined."""
    result, parts = [], b""
    for event in events:
        if isinstance(event, ControlPdu):
            result.append((event.type, event.body))
            continue
        assert isinstance(event, Fragment)
        parts += bytes(event.data)
        # In pieces, an item shows as several fragments: what tells its end is that the next one is not its sequel.
        result.append([event.context_id, event.is_command, event.is_last, bytes(event.data)])
    return result


def join(events):
    joined = []
    for event in simplify(events):
        if isinstance(event, tuple):
            joined.append(event)
        elif joined and isinstance(joined[-1], list) and joined[-1][:2] == event[:2] and not joined[-1][2]:
            joined[-1] = [event[0], event[1], event[2], joined[-1][3] + event[3]]
        else:
            joined.append(event)
    return [tuple(each) for each in joined]


@pytest.mark.parametrize(("data", "expected"), VECTORS.values(), ids=VECTORS.keys())
@pytest.mark.parametrize("trailing", [b"", RELEASE_RQ, RELEASE_RQ[:3]], ids=["alone", "then a PDU", "then a part"])
def test_pdus_whole_and_byte_by_byte(data, expected, trailing):
    expected = expected + ([(5, bytes(4))] if trailing == RELEASE_RQ else [])
    stream = data + trailing
    assert join(PduReader(16384).feed(memoryview(stream))) == expected
    reader = PduReader(16384)
    assert join([e for i in range(len(stream)) for e in reader.feed(memoryview(stream[i : i + 1]))]) == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pdu(8, b"1234"), codec.UNRECOGNIZED_PDU),
        (pdu(0, b""), codec.UNRECOGNIZED_PDU),
        (b"GET / HTTP/1.1\r\n", codec.UNRECOGNIZED_PDU),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", codec.UNRECOGNIZED_PDU),
        (b"\x04\x00\xff\xff\xff\xff", codec.INVALID_PARAMETER),
        (b"\x01\x00\xff\xff\xff\xff", codec.INVALID_PARAMETER),
        (pdu(5, b"12345"), codec.INVALID_PARAMETER),
        (pdu(7, b""), codec.INVALID_PARAMETER),
        (pdu(4, b"12345"), codec.INVALID_PARAMETER),
        (p_data(b"\x00\x00\x00\x01\x01\x00"), codec.INVALID_PARAMETER),
        (p_data(b"\x00\x00\x00\x09\x01\x00abc"), codec.INVALID_PARAMETER),
        (p_data(b"\xff\xff\xff\xff\x01\x00abc"), codec.INVALID_PARAMETER),
        (p_data(pdv(2, 0, b"abc")), codec.INVALID_PARAMETER),
        (p_data(pdv(1, 0, b"abc") + b"xyz"), codec.INVALID_PARAMETER),
    ],
)
def test_bytes_that_break_the_rules_are_the_peers_fault(data, reason):
    with pytest.raises(PeerError) as caught:
        list(PduReader(16384).feed(memoryview(data)))
    assert caught.value.abort_reason == reason


def test_fragments_are_views_of_what_was_fed():
    data = bytearray(p_data(pdv(1, 0, b"abcdef")))
    (fragment,) = PduReader(16384).feed(memoryview(data))
    data[-6:] = b"ABCDEF"
    assert bytes(fragment.data) == b"ABCDEF"


def test_a_pdu_as_long_as_agreed_passes_and_one_byte_more_does_not():
    assert list(PduReader(4096).feed(memoryview(p_data(pdv(1, 0, bytes(4090))))))
    with pytest.raises(PeerError):
        list(PduReader(4096).feed(memoryview(p_data(pdv(1, 0, bytes(4091))))))


def test_what_we_send():
    assert codec.encode_release_request() == RELEASE_RQ
    assert codec.encode_release_response() == RELEASE_RP
    assert codec.encode_abort(codec.SERVICE_USER, 5) == ABORT_BY_USER
    assert codec.encode_abort(codec.SERVICE_PROVIDER, 2) == bytes.fromhex("0700000000040000 0202")
    assert codec.encode_reject(2, 3, 2) == bytes.fromhex("030000000004 00020302")


@pytest.mark.parametrize("limit", [0, 7, 8, 50, 16384])
def test_a_command_is_cut_to_what_the_peer_takes(limit):
    command = bytes(range(100))
    encoded = codec.encode_command(5, command, limit)
    assert join(PduReader(16384).feed(memoryview(encoded))) == [(5, True, True, command)]
    offset = 0
    while offset < len(encoded):
        length = int.from_bytes(encoded[offset + 2 : offset + 6], "big")
        assert not limit or length <= limit
        offset += 6 + length
