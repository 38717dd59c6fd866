"""Entries of the tree below /PACS."""

import pytest

from pfdcmd.errors import PeerConfigurationFault
from pfdcmd.pacs.peer import parse_peer
from pfdcmd.pacs.peertls import PeerTls

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


def test_an_old_entry_says_nothing_of_tls_c_get_and_limits():
    peer = parse_peer(ENTRY)
    assert (peer.tls, peer.prefers_get, peer.max_associations) == (None, False, None)
    empty = {"tls": "", "retrieveBy": "", "maxAssociations": "", "tlsCA": "", "tlsCheckHost": ""}
    assert parse_peer({**ENTRY, **empty}) == peer


@pytest.mark.parametrize("yes", [True, "true", "Yes", "1"])
def test_tls_with_its_files(yes):
    files = {"tlsCA": "/ca.pem", "tlsCertificate": "/own.pem", "tlsKey": "/own.key"}
    assert parse_peer({**ENTRY, "tls": yes, **files}).tls == PeerTls("/ca.pem", "/own.pem", "/own.key", False)
    assert parse_peer({**ENTRY, "tls": yes, **files, "tlsCheckHost": yes}).tls.checks_host


def test_without_a_ca_of_its_own_the_certificate_must_name_the_host():
    assert parse_peer({**ENTRY, "tls": True, "tlsCheckHost": False}).tls == PeerTls(checks_host=True)


def test_tls_files_without_tls_are_not_used():
    assert parse_peer({**ENTRY, "tls": "false", "tlsCA": "/ca.pem"}).tls is None


def test_retrieving_by_c_get_and_so_many_at_once():
    peer = parse_peer({**ENTRY, "retrieveBy": "GET", "maxAssociations": "2"})
    assert (peer.prefers_get, peer.max_associations) == (True, 2)
    assert parse_peer({**ENTRY, "retrieveBy": "move", "maxAssociations": 3}).max_associations == 3


@pytest.mark.parametrize(
    "change",
    [
        {"tls": "maybe"},
        {"tls": 1},
        {"tls": True, "tlsCA": "relative.pem"},
        {"tls": True, "tlsCertificate": "/a\nb"},
        {"tls": True, "tlsKey": "/own.key"},
        {"tls": True, "tlsCheckHost": []},
        {"retrieveBy": "fetch"},
        {"retrieveBy": 7},
        {"maxAssociations": 0},
        {"maxAssociations": "1001"},
        {"maxAssociations": True},
        {"maxAssociations": "2.5"},
        {"maxAssociations": "9" * 5000},
    ],
)
def test_an_option_that_cannot_be_used_names_its_key(change):
    with pytest.raises(PeerConfigurationFault, match=list(change)[-1]):
        parse_peer({**ENTRY, **change})
