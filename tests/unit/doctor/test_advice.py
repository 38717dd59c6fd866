"""From what went wrong to the line to change."""

import shlex

import pytest

from pfdcmd.doctor.advice import (
    Entry,
    on_association,
    on_find,
    on_move,
    on_no_answer,
    on_no_connection,
    on_no_listener,
    on_not_arrived,
    on_refused_here,
)
from pfdcmd.doctor.step import Fault, Outcome
from pfdcmd.errors import KeysRefused, PeerAborted, PeerFailed, PeerTimeout, PeerUnreachable
from pfdcmd.pacs.negotiation import Acceptance, Model, Rejection
from pfdcmd.pacs.outcome import MoveCounts, outcome_of_fault, outcome_of_status
from pfdcmd.pacs.peer import parse_peer

PEER = parse_peer({"serverIP": "pacs", "serverPort": "104", "aec": "PACS", "aet": "US", "aet_listener": "STORE"})
ENTRY = Entry("main", PEER, own_address="10.0.0.7", ports=("10402", "10403"))
DESTINATION = '"DicomModalities": {"pfdcm": ["STORE", "10.0.0.7", 10402]}'


@pytest.mark.parametrize(
    ("answer", "fault", "advice"),
    [
        (Rejection(1, 1, 7), Fault.CALLED_AE, "pfdcmctl tree set /PACS/main/aec AE"),
        (Rejection(1, 1, 3), Fault.CALLING_AE, "pfdcmctl tree set /PACS/main/aet AE"),
        (Rejection(2, 3, 2), Fault.BUSY, "Try again later"),
        (Rejection(1, 1, 1), Fault.NO_ANSWER, "Its log may say why"),
        (None, Fault.NO_ANSWER, "Is 104 the DICOM port"),
        (Acceptance((Model.VERIFICATION,)), Fault.NO_QUERY, "query/retrieve"),
    ],
)
def test_associations(answer, fault, advice):
    finding = on_association(ENTRY, answer)
    assert (finding.outcome, finding.fault) == (Outcome.FAILED, fault)
    assert advice in finding.advice


def test_a_pacs_that_cannot_move_is_told_to_be_asked_by_get():
    finding = on_association(ENTRY, Acceptance((Model.STUDY_FIND, Model.STUDY_GET)))
    assert finding.outcome is Outcome.WARNING
    assert "pfdcmctl tree set /PACS/main/retrieveBy get" in finding.advice


@pytest.mark.parametrize(
    ("cause", "advice"), [("Connection refused", "start the PACS"), ("Connection timed out", "firewall")]
)
def test_connections(cause, advice):
    assert advice in on_no_connection(ENTRY, PeerUnreachable("no", cause=cause)).advice


@pytest.mark.parametrize(
    ("fault", "speaks_tls", "named"),
    [
        (PeerAborted(), True, Fault.EXPECTS_TLS),
        (PeerAborted(), False, Fault.NO_ANSWER),
        (PeerTimeout(), False, Fault.NO_ANSWER),
        (PeerFailed(), False, Fault.NO_DICOM),
    ],
)
def test_no_answers(fault, speaks_tls, named):
    assert on_no_answer(ENTRY, fault, speaks_tls=speaks_tls).fault is named


@pytest.mark.parametrize(
    ("level", "fault", "outcome"),
    [
        ("STUDY", PeerAborted(), Outcome.FAILED),
        ("SERIES", PeerFailed(), Outcome.FAILED),
        ("PATIENT", PeerAborted(), Outcome.WARNING),
        ("IMAGE", PeerFailed(), Outcome.WARNING),
        ("SERIES", KeysRefused(), Outcome.WARNING),
    ],
)
def test_only_studies_and_series_cannot_be_done_without(level, fault, outcome):
    assert on_find(ENTRY, level, fault).outcome is outcome


@pytest.mark.parametrize(
    ("outcome", "fault", "advice"),
    [
        (outcome_of_status(0xA801, MoveCounts()), Fault.DESTINATION_UNKNOWN, DESTINATION),
        (outcome_of_status(0xC000, MoveCounts()), Fault.DESTINATION, DESTINATION),
        (outcome_of_status(0xB000, MoveCounts(0, 1, 0)), Fault.DESTINATION_UNREACHABLE, DESTINATION),
        (outcome_of_status(0x0000, MoveCounts(0, 1, 0)), Fault.DESTINATION_UNREACHABLE, DESTINATION),
        (outcome_of_status(0x0124, MoveCounts()), Fault.MOVE_REFUSED, '"AllowMove": true'),
        (outcome_of_fault(PeerAborted()), Fault.MOVE_REFUSED, '"AllowMove": true'),
        (outcome_of_status(0xA701, MoveCounts()), Fault.MOVE_FAILED, DESTINATION),
    ],
)
def test_moves(outcome, fault, advice):
    finding = on_move(ENTRY, outcome)
    assert finding.fault is fault
    assert advice in finding.advice


def test_an_image_that_went_elsewhere():
    assert DESTINATION in on_not_arrived(ENTRY).advice


def test_an_image_that_our_listener_refused():
    assert "pfdcmctl listener log ct" in on_refused_here("ct: calling_ae").advice


def test_a_line_can_be_pasted_into_a_shell_whatever_the_pacs_is_named():
    entry = Entry("x'; rm -rf ~; '", PEER)
    assert shlex.split(entry.line("aec", "AE")) == ["pfdcmctl", "tree", "set", "/PACS/x'; rm -rf ~; '/aec", "AE"]


@pytest.mark.parametrize(("services", "said"), [({}, "no listener"), ({"ct": "FATAL"}, "ct is FATAL")])
def test_listeners_that_are_down(services, said):
    finding = on_no_listener(services)
    assert finding.fault is Fault.LISTENER_DOWN
    assert said in finding.found
