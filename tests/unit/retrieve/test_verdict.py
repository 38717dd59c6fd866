"""The verdict: complete only if every expected image is on disk; a PACS's word is evidence, and its gaps have names."""

import pytest

from pfdcmd.pacs.outcome import MoveCounts, MoveOutcome
from pfdcmd.retrieve.evidence import SeriesEvidence, sub_operations
from pfdcmd.retrieve.job import JobState
from pfdcmd.retrieve.verdict import StudyCounts, is_worth_another_attempt, judge_job, judge_series

ALL = frozenset({"1.1", "1.2", "1.3"})
TWO = frozenset({"1.1", "1.2"})
WELL = MoveOutcome(status=0, counts=MoveCounts(3, 0, 0))
UNREACHED = MoveOutcome("F: Association Request Failed:\nF: Connection refused\n", 61)


def evidence(**known):
    return SeriesEvidence("1", **known)


@pytest.mark.parametrize(
    ("known", "state", "received", "reason"),
    [
        ({"listed": ALL, "counted": 3, "present": ALL, "outcomes": (WELL,)}, "complete", 3, None),
        # What the PACS said matters nothing once everything is here.
        ({"listed": ALL, "present": ALL, "outcomes": (UNREACHED,)}, "complete", 3, None),
        ({"listed": ALL, "present": TWO, "outcomes": (WELL,)}, "partial", 2, "says that it sent 3 images, but not all"),
        ({"listed": ALL, "outcomes": (WELL,)}, "failed", 0, "none arrived: does its move destination name this host"),
        (
            {
                "listed": ALL,
                "present": TWO,
                "outcomes": (
                    MoveOutcome("W: ...", 69, status=0, counts=MoveCounts(2, 1, 0), failed_instances=("1.3",)),
                ),
            },
            "partial",
            2,
            "The PACS named 1 of the missing images as failed.",
        ),
        (
            {"listed": ALL, "outcomes": (MoveOutcome("W: ...", 69, status=0, counts=MoveCounts(0, 0, 0)),)},
            "failed",
            0,
            "The PACS answered success, but sent no image.",
        ),
        ({"listed": ALL, "outcomes": (UNREACHED,)}, "failed", 0, "Association Request Failed: Connection refused"),
        # A refused move counts no sub-operation: what the PACS said of it comes first, not a disagreement.
        (
            {"listed": ALL, "counted": 3, "moved": 0, "outcomes": (UNREACHED,)},
            "failed",
            0,
            "Association Request Failed: Connection refused",
        ),
        (
            {"listed": TWO, "counted": 3, "present": TWO},
            "partial",
            2,
            "disagrees with itself: of this series it lists 2",
        ),
        # A whole move that brought more than is listed, and no count beside: the greater number stands.
        ({"listed": TWO, "moved": 3, "present": ALL, "outcomes": (WELL,)}, "complete", 3, "lists 2 and sent 3"),
        # List and count agree: a sub-operation counter that does not is wrong.
        ({"listed": ALL, "counted": 3, "moved": 8, "present": ALL, "outcomes": (WELL,)}, "complete", 3, "sent 8"),
        ({"counted": 3, "present": ALL, "outcomes": (WELL,)}, "complete", 3, None),
        ({"moved": 3, "present": TWO, "outcomes": (WELL,)}, "partial", 2, "not all of the missing ones arrived"),
        ({"present": TWO, "outcomes": (MoveOutcome(status=0),)}, "partial", 2, "did not say how many images"),
        ({"listed": frozenset(), "outcomes": (UNREACHED,)}, "failed", 0, "lists no image of this series"),
        (
            {"listed": ALL, "present": TWO, "troubles": {"1.3": "quarantined, no PatientID"}, "outcomes": (WELL,)},
            "partial",
            2,
            "The listener did not file 1: quarantined, no PatientID.",
        ),
        # What is here from before does not make a forced retrieve that failed a complete one.
        ({"listed": ALL, "present": ALL, "needs_move": True, "outcomes": (UNREACHED,)}, "failed", 3, "Association"),
    ],
)
def test_of_a_series(known, state, received, reason):
    judged = judge_series(evidence(**known))
    assert (judged.state, judged.received) == (state, received)
    assert any(reason in text for text in judged.reasons) if reason else judged.reasons == ()


def test_missing_instances_are_named():
    assert judge_series(evidence(listed=ALL, present=TWO)).missing == ("1.3",)


def test_a_cancelled_series_that_is_here_is_complete_all_the_same():
    assert judge_series(evidence(listed=ALL, present=ALL), is_cancelled=True).state is JobState.COMPLETE
    assert judge_series(evidence(listed=ALL, present=TWO), is_cancelled=True).state is JobState.CANCELLED


@pytest.mark.parametrize(
    ("known", "is_worth_it"),
    [
        ({"listed": ALL, "present": TWO, "outcomes": (WELL,)}, True),
        ({"listed": ALL, "outcomes": (UNREACHED,)}, True),
        ({"outcomes": (UNREACHED,)}, True),
        ({"listed": ALL, "present": ALL}, False),
        ({"listed": frozenset(), "outcomes": (UNREACHED,)}, False),
        ({"present": TWO, "outcomes": (MoveOutcome(status=0),)}, False),
    ],
)
def test_another_attempt_is_made_when_it_can_bring_something(known, is_worth_it):
    assert is_worth_another_attempt(evidence(**known)) is is_worth_it


def series(present, listed=ALL):
    return judge_series(evidence(listed=listed, present=present, outcomes=(WELL,)))


@pytest.mark.parametrize(
    ("judged", "counts", "present", "state", "sentence"),
    [
        ([series(ALL)], StudyCounts(), 3, "complete", "All 3 images of 1 series are here."),
        (
            [series(ALL), series(TWO)],
            StudyCounts(),
            5,
            "partial",
            "5 of 6 images are here, 1 are missing in 1 of 2 series: The PACS says that it sent 3 images, "
            "but not all of the missing ones arrived.",
        ),
        (
            [series(ALL)],
            StudyCounts(series=2, instances=6),
            3,
            "partial",
            "3 images of 1 series are here: The PACS disagrees with itself: "
            "it counts 2 series in the study and lists 1.",
        ),
        ([series(ALL)], StudyCounts(series=1, instances=4), 4, "complete", "All 3 images of 1 series are here."),
        ([], StudyCounts(), 0, "failed", "No image is here."),
    ],
)
def test_of_a_job(judged, counts, present, state, sentence):
    assert judge_job(judged, counts, present=present) == (state, sentence)


def test_a_job_that_was_cancelled_says_so():
    state, sentence = judge_job([series(TWO)], StudyCounts(), present=2, is_cancelled=True)
    assert state is JobState.CANCELLED
    assert sentence.startswith("Cancelled: 2 of 3 images are here")


def test_nothing_remains_of_a_retrieve_that_ended_well():
    assert sub_operations(MoveOutcome(status=0, counts=MoveCounts(7, 0, 0, remaining=1))) == 7
    assert sub_operations(MoveOutcome(status=0xC000, counts=MoveCounts(3, 1, 0, remaining=4))) == 8
    assert sub_operations(MoveOutcome()) is None
