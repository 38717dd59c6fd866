"""Which requests a job makes, how fast and when; the lines that it reads of listeners; its JSON."""

import json
from datetime import datetime, timedelta

import pytest

from pfdcmd.errors import PeerConfigurationFault
from pfdcmd.retrieve.batches import even_shares, next_selections
from pfdcmd.retrieve.estimate import Rates, plan_json
from pfdcmd.retrieve.evidence import SeriesEvidence
from pfdcmd.retrieve.job import Job, JobState, RetrieveRequest, SeriesProgress
from pfdcmd.retrieve.jobjson import job_json
from pfdcmd.retrieve.ledger import SeriesRecord
from pfdcmd.retrieve.policy import parse_policy
from pfdcmd.retrieve.receipt import parse_receipt
from pfdcmd.retrieve.standing import Standing

FIVE = frozenset({f"1.{number}" for number in range(5)})
WHOLE = ("1", "9", ())


def asked(batch_size=2, is_paced=False, is_image_level_refused=False, **known):
    found = next_selections(
        "1",
        SeriesEvidence("9", **known),
        batch_size=batch_size,
        is_paced=is_paced,
        is_image_level_refused=is_image_level_refused,
    )
    return [(one.study, one.series, one.instances) for one in found]


@pytest.mark.parametrize(
    ("series", "count", "shares"),
    [
        ({"a": 100, "b": 10, "c": 20, "d": 75}, 2, [["a"], ["d", "c", "b"]]),
        ({"a": None, "b": None, "c": None}, 2, [["a", "c"], ["b"]]),
        ({"a": 0, "b": 5}, 4, [["b"], ["a"]]),
        ({}, 4, []),
    ],
)
def test_series_are_shared_out_by_their_images(series, count, shares):
    assert even_shares(series, count) == shares


def test_what_is_here_is_not_asked_for():
    assert asked(listed=FIVE, counted=5, present=FIVE) == []


def test_only_what_is_missing_is_asked_for_in_batches():
    assert asked(listed=FIVE, present=frozenset({"1.0", "1.3"})) == [
        ("1", "9", ("1.1", "1.2")),
        ("1", "9", ("1.4",)),
    ]


@pytest.mark.parametrize(
    "known",
    [
        {"listed": FIVE},
        {"listed": FIVE, "present": FIVE, "needs_move": True},
        {"listed": FIVE, "counted": 7, "present": frozenset({"1.0"})},
        {"listed": FIVE, "present": frozenset({"1.0"}), "is_image_level_refused": True},
        {"counted": 5},
        {},
        {"listed": frozenset()},
    ],
)
def test_the_whole_series_is_asked_for_when_that_is_the_only_way(known):
    assert asked(**known) == [WHOLE]


def test_a_paced_retrieve_asks_in_batches_from_the_start():
    assert [len(instances) for _, _, instances in asked(listed=FIVE, is_paced=True)] == [2, 2, 1]


@pytest.mark.parametrize(
    ("hours", "now", "remaining"),
    [
        ("22:00-06:00", "23:00", timedelta(hours=7)),
        ("22:00-06:00", "05:00", timedelta(hours=1)),
        ("22:00-06:00", "06:00", None),
        ("08:00-09:30", "09:00", timedelta(minutes=30)),
        ("08:00-09:30", "07:59", None),
    ],
)
def test_quiet_hours(hours, now, remaining):
    quiet = parse_policy({"quietHours": hours}, 4).quiet_hours
    assert quiet.remaining(datetime.fromisoformat(f"2024-05-05 {now}")) == remaining


def test_a_rate_bounds_batches_and_takes_its_time():
    policy = parse_policy({"imagesPerSecond": "2"}, 4)
    assert (policy.batch_size(200), policy.least_seconds(10)) == (10, 5.0)
    assert parse_policy({}, 4).least_seconds(1000) == 0


@pytest.mark.parametrize(
    "entry",
    [{"imagesPerSecond": "fast"}, {"imagesPerSecond": 0}, {"imagesPerSecond": True}, {"quietHours": "22-6"}, [], None],
)
def test_an_entry_that_cannot_be_used_is_said(entry):
    with pytest.raises(PeerConfigurationFault):
        parse_policy(entry, 4)


LINE = {
    "t": 5.5,
    "event": "filed",
    "study": "1",
    "series": "1.9",
    "instance": "1.9.1",
    "bytes": 10,
    "dir": "p/s/e",
    "data_dir": "/data",
    "calling": "PACS",
    "called": "US",
    "originator": "US",
    "move_id": 3,
    "status": 0,
    "reason": "",
}


def receipt(**changes):
    return parse_receipt(json.dumps(LINE | changes).encode())


def test_a_receipt():
    parsed = receipt()
    assert (parsed.series, parsed.instance, parsed.directory) == ("1.9", "1.9.1", "/data/p/s/e")
    assert (parsed.time, parsed.size_bytes, parsed.is_on_disk) == (5.5, 10, True)
    assert not receipt(event="quarantined").is_on_disk


@pytest.mark.parametrize(
    "changes",
    [{"event": "dance"}, {"series": "*"}, {"instance": ""}, {"dir": "../up"}, {"dir": "/etc"}, {"data_dir": "x"}],
)
def test_what_is_no_receipt_is_passed_over(changes):
    assert receipt(**changes) is None


@pytest.mark.parametrize("line", [b"", b"[]", b'{"event": "filed"', b"\xff", b"[" * 9000])
def test_what_is_no_json_is_passed_over(line):
    assert parse_receipt(line) is None


def test_a_jobs_json_counts_all_and_names_a_thousand():
    missing = tuple(f"1.{number}" for number in range(1500))
    series = SeriesProgress("9", JobState.PARTIAL, 2000, 500, missing, ("why",), 77)
    told = job_json(Job("a", RetrieveRequest("p", "1"), JobState.PARTIAL, 1.0, 2.0, 3, (series,), "no"))
    assert told["progress"] == {"expected": 2000, "received": 500, "missing": 1500}
    assert (told["job"], told["state"], told["attempts"], told["verdict"]) == ("a", "partial", 3, "no")
    assert (told["series"][0]["missing"], len(told["series"][0]["missing_instances"])) == (1500, 1000)


def test_a_plan_estimates_by_what_was_seen():
    evidence = SeriesEvidence("9", listed=FIVE, present=frozenset({"1.0"}))
    policy = parse_policy({}, 4)
    plan = plan_json(RetrieveRequest("p", "1"), "1", [evidence], Rates(100, 5000, 20.0), policy)
    assert (plan["images"], plan["here"], plan["bytes"], plan["seconds"]) == (4, 1, 200, 0.8)
    unknown = plan_json(RetrieveRequest("p", "1"), "1", [evidence], Rates(), policy)
    assert (unknown["bytes"], unknown["seconds"]) == (None, None)


@pytest.mark.parametrize(
    ("counts", "expected", "missing"),
    [
        ((3, 2, None, None, 2), 3, 1),
        ((None, 0, 5, None, 2), 5, 3),
        ((3, 3, 3, 8, 3), 3, 0),
        ((None, 0, None, None, 2), None, 0),
    ],
)
def test_what_a_record_lacks(counts, expected, missing):
    listed, listed_present, counted, moved, present = counts
    record = SeriesRecord("9", "1", listed, listed_present, counted, moved, present, 0)
    assert (record.expected, record.missing) == (expected, missing)


@pytest.mark.parametrize(
    ("known", "is_complete"),
    [
        ({"is_settled": True}, True),
        ({"is_settled": False}, False),
        ({"is_settled": True, "is_under_way": True}, False),
        ({"is_settled": True, "expected": 3, "missing": 0, "is_under_way": True}, True),
        ({"is_settled": True, "expected": 3, "missing": 1}, False),
        ({"is_settled": False, "expected": 3, "missing": 0}, False),
    ],
)
def test_when_a_series_stands_complete(known, is_complete):
    assert Standing("/d", 3, **known).is_complete is is_complete
