"""C-MOVE's end in the words and numbers that callers know."""

import pytest

from pfdcmd.errors import PeerAborted, PeerRefused, PeerTimeout, PeerUnreachable
from pfdcmd.pacs.outcome import MoveCounts, MoveOutcome, outcome_of_fault, outcome_of_status

RECORDED_FAILURE = "W: Move response with error status (Failed: UnableToProcess)\n"


@pytest.mark.parametrize(
    ("status", "counts", "text"),
    [
        (0xC000, MoveCounts(), RECORDED_FAILURE),
        (0xC123, MoveCounts(0, 0, 0), RECORDED_FAILURE),
        (0xA801, MoveCounts(), "W: Move response with error status (Refused: MoveDestinationUnknown)\n"),
        (0x1234, MoveCounts(), "W: Move response with error status (Unknown Status: 0x1234)\n"),
        (
            0xFE00,
            MoveCounts(),
            "W: Move response with error status (Cancel: SubOperationsTerminatedDueToCancelIndication)\n",
        ),
        (
            0xB000,
            MoveCounts(3, 2, 1),
            "W: Move response with error status (Warning: SubOperationsCompleteOneOrMoreFailures)\n"
            "W: 2 of 6 images were not sent\n",
        ),
        (0x0000, MoveCounts(5, 2, 0), "W: Move response with status Success\nW: 2 of 7 images were not sent\n"),
        (0x0000, MoveCounts(None, 7, None), "W: Move response with status Success\nW: 7 of 7 images were not sent\n"),
        (0x0000, MoveCounts(0, 0, 0), "W: Move response with status Success, but no image was sent\n"),
    ],
)
def test_failures_say_what_and_how_many(status, counts, text):
    outcome = outcome_of_status(status, counts)
    assert (outcome.error, outcome.returncode, outcome.is_success) == (text, 69, False)


@pytest.mark.parametrize("counts", [MoveCounts(7, 0, 0), MoveCounts(), MoveCounts(0, 0, 3), MoveCounts(7)])
def test_success_is_success_with_images_or_without_counts(counts):
    assert outcome_of_status(0x0000, counts) == MoveOutcome(status=0x0000, counts=counts)


def test_a_pacs_that_cannot_be_reached_has_its_own_number_and_the_recorded_text():
    outcome = outcome_of_fault(PeerUnreachable("...", cause="Connection refused"))
    assert outcome.returncode == 61
    assert outcome.error == (
        "F: Association Request Failed:\nF: 0006:031c TCP Initialization Error: Connection refused\n"
    )


@pytest.mark.parametrize("kind", [PeerRefused, PeerTimeout, PeerAborted])
def test_other_faults_are_failures_with_their_message(kind):
    assert outcome_of_fault(kind("It said no.")) == MoveOutcome("F: It said no.\n", 69)


@pytest.mark.parametrize(
    ("status", "counts", "refuses"),
    [
        (0xA900, MoveCounts(), True),
        (0x0122, MoveCounts(0, 0, 0), True),
        (0xC000, MoveCounts(), True),
        (0xC000, MoveCounts(3, 4, 0), False),
        (0xA702, MoveCounts(0, 7, 0), False),
        (0xB000, MoveCounts(3, 4, 0), False),
        (0x0000, MoveCounts(0, 0, 0), False),
    ],
)
def test_a_request_that_the_pacs_will_not_have_is_told_from_images_that_failed(status, counts, refuses):
    assert outcome_of_status(status, counts).refuses_request is refuses


def test_a_fault_refuses_no_request():
    assert not outcome_of_fault(PeerTimeout("...")).refuses_request


def test_two_requests_of_one_retrieve_end_as_the_first_that_failed():
    good = outcome_of_status(0x0000, MoveCounts(5, 0, 0, None), (), 7)
    bad = outcome_of_status(0xB000, MoveCounts(3, 2, None, 4), ("1.2", "1.3"), 8)
    both = good.plus(bad)
    assert (both.status, both.returncode, both.error, both.message_id) == (0xB000, 69, bad.error, 8)
    assert both.counts == MoveCounts(8, 2, 0, 4)
    assert both.failed_instances == ("1.2", "1.3")
    assert bad.plus(good).status == 0xB000
    assert good.plus(good).is_success


def test_a_cancelled_retrieve_says_so():
    assert outcome_of_status(0xFE00, MoveCounts()).is_cancelled
    assert not outcome_of_status(0x0000, MoveCounts()).is_cancelled
