"""Entries of the tree below /PACS."""

import pytest

from pfdcmd.errors import PeerConfigurationFault
from pfdcmd.pacs.peer import parse_peer

ENTRY = {"serverIP": "10.0.0.1", "serverPort": "104", "aec": "PACS", "aet": "US", "aet_listener": "LISTENER"}


def test_an_entry_says_where_whom_and_where_to():
    peer = parse_peer(ENTRY)
    assert (peer.host, peer.port, peer.called_ae, peer.calling_ae, peer.move_destination) == (
        "10.0.0.1",
        104,
        "PACS",
        "US",
        "LISTENER",
    )


def test_without_a_listener_images_go_to_aet():
    assert parse_peer({**ENTRY, "aet_listener": ""}).move_destination == "US"
    assert parse_peer({key: value for key, value in ENTRY.items() if key != "aet_listener"}).move_destination == "US"


def test_older_names_and_numeric_ports():
    peer = parse_peer({"server_ip": "::1", "server_port": 104, "aec": "PACS", "aet": "US"})
    assert (peer.host, peer.port) == ("::1", 104)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"serverIP": ""}, "serverIP"),
        ({"serverIP": "a b"}, "serverIP"),
        ({"serverIP": "../.."}, "serverIP"),
        ({"serverPort": "0"}, "serverPort"),
        ({"serverPort": "65536"}, "serverPort"),
        ({"serverPort": None}, "serverPort"),
        ({"aec": "x" * 17}, "aec"),
        ({"aec": "é"}, "aec"),
        ({"aet": "a\\b"}, "aet"),
        ({"aet_listener": 7}, "aet_listener"),
    ],
)
def test_an_entry_that_cannot_be_used_names_the_key(change, named):
    with pytest.raises(PeerConfigurationFault, match=named):
        parse_peer({**ENTRY, **change})


@pytest.mark.parametrize("entry", ["text", None, [], 3])
def test_an_entry_that_is_no_directory(entry):
    with pytest.raises(PeerConfigurationFault):
        parse_peer(entry)
