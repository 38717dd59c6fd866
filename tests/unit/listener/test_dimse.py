"""Command sets."""

import pytest
from dicomwire import CT, command, store_command, ui, us
from hypothesis import given
from hypothesis import strategies as st

from listener import dimse
from listener.errors import PeerError


def test_a_store_request():
    extra = b"\0\0\x30\x10\x08\0\0\0MOVER   " + us(0x1031, 77)
    request = dimse.decode_command(store_command(CT, "1.2.3", 9) + extra)
    assert request == dimse.Command(dimse.C_STORE_RQ, 9, True, CT, "1.2.3", "MOVER", 77)


def test_requested_uids_stand_in_for_affected_ones():
    request = dimse.decode_command(command(ui(3, CT), us(0x0100, 0x0110), us(0x0800, 0x0101), ui(0x1001, "1.2")))
    assert (request.sop_class, request.sop_instance, request.has_data_set) == (CT, "1.2", False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        us(0x0100, 1),
        us(0x0800, 0),
        us(0x0100, 1)[:-1] + us(0x0800, 0),
        store_command(CT, "1.2.3")[:-1],
        store_command(CT, "1.2.3")[:-7] + b"",
        b"\x08\0\x16\0\x02\0\0\0ab" + us(0x0100, 1) + us(0x0800, 0),
        b"\0\0\0\x01\x04\0\0\0\1\0\0\0" + us(0x0800, 0),
    ],
)
def test_what_is_no_command_set_is_the_peers_fault(data):
    with pytest.raises(PeerError):
        dimse.decode_command(data)


@given(st.binary(max_size=200))
def test_rubbish_is_the_peers_fault(data):
    try:
        dimse.decode_command(us(0x0100, 1) + us(0x0800, 0) + data)
    except PeerError:
        return


def test_the_responses_bytes():
    request = dimse.decode_command(store_command("1.2", "1.2.3", 5))
    assert dimse.encode_response(request, 0xA700) == command(
        ui(0x0002, "1.2"),
        us(0x0100, 0x8001),
        us(0x0120, 5),
        us(0x0800, 0x0101),
        us(0x0900, 0xA700),
        ui(0x1000, "1.2.3"),
    )
