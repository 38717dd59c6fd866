"""Studies of more series than may come side by side: a few associations bring them, each with a share of the series."""

from __future__ import annotations

import asyncio
import os

import pytest
from misbehavingpacs import Behaviour
from misbehavingstudies import IMAGES, pacs_with, retrieved, sent_more_than_once, whole
from retrieving import jobs_of, until
from studyimages import series_uid, study_uid

from pfdcmd.edge.retrieve.ledger import FILE_NAME
from pfdcmd.retrieve.job import RetrieveRequest


@pytest.mark.parametrize(
    "behaviour",
    [Behaviour(), Behaviour(drops_every=7), Behaviour(breaks_off_after=9), Behaviour(counts_instances=False)],
)
def test_a_study_of_many_series_comes_by_a_few_associations_and_what_is_left_out_by_itself(listener, study, behaviour):
    with pacs_with(listener, study, behaviour, series=4) as pacs:
        job = retrieved(listener, pacs, whole(study), entry={"maxAssociations": 3})
    assert (job.state, len(job.series)) == ("complete", 4)
    assert {request.level for request in pacs.asked("move")} <= {"SERIES", "IMAGE"}
    assert sent_more_than_once(pacs) == []


@pytest.mark.parametrize("most", [1, 3])
def test_a_study_of_many_series_takes_one_request_for_each_and_no_more_associations_than_the_pacs_allows(
    listener, study, most
):
    with pacs_with(listener, study, Behaviour(), series=4) as pacs:
        job = retrieved(listener, pacs, whole(study), entry={"maxAssociations": most})
    assert (job.state, job.attempts) == ("complete", 1)
    assert sorted(request.keys["SeriesInstanceUID"] for request in pacs.asked("move")) == [
        series_uid(number, study) for number in range(1, 5)
    ]
    queries = len(pacs.asked("find"))
    assert queries == 2  # the study's counts, and its series: no series needs one of its own
    assert pacs.associations == queries + most


def test_a_pacs_that_counts_fewer_images_than_it_sends_is_not_believed_in_its_count(listener, study):
    with pacs_with(listener, study, Behaviour(drops_every=IMAGES, uncounted=1), series=4) as pacs:
        job = retrieved(listener, pacs, whole(study), entry={"maxAssociations": 3})
    assert job.state == "complete"
    assert len(set(pacs.sent)) == 4 * IMAGES


def test_of_two_jobs_that_want_the_same_series_one_moves_them(listener, study):
    names = tuple(series_uid(number, study) for number in range(1, 5))

    async def run(pacs):
        async with jobs_of({**pacs.entry, "maxAssociations": 3}, listener.root) as jobs:
            first = await jobs.start(whole(study))
            await until(lambda: len(pacs.sent) > 2)
            second = await jobs.start(RetrieveRequest("main", study_uid(study), names))
            third = await jobs.start(RetrieveRequest("main", study_uid(study), names[2:]))
            return [(await jobs.wait(job.id)).state for job in (first, second, third)]

    with pacs_with(listener, study, Behaviour(image_seconds=0.1), series=4) as pacs:
        assert asyncio.run(run(pacs)) == ["complete"] * 3
        assert sent_more_than_once(pacs) == []


def test_a_study_that_is_here_is_not_moved_again_when_the_ledger_is_lost(listener, study):
    with pacs_with(listener, study, Behaviour(), series=4) as pacs:
        retrieved(listener, pacs, whole(study), entry={"maxAssociations": 3})
        state = listener.root / "state"
        for file in state.glob(f"{FILE_NAME}*"):
            file.unlink()
        for file in (state / "receipts").iterdir():
            os.truncate(file, 0)
        job = retrieved(listener, pacs, whole(study), entry={"maxAssociations": 3})
    assert job.state == "complete"
    assert len(pacs.asked("move")) == 4
