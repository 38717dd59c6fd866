"""Retrieves from a PACS that misbehaves: what is had in the end, what it was asked for, and what the verdict says."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from misbehavingpacs import CALLING_AE, HOST, Behaviour, misbehaving_pacs
from misbehavingstudies import IMAGES, SERIES, pacs_with, retrieved, sent_more_than_once, whole
from retrieving import SECONDS, SETTINGS, jobs_of, until
from studyimages import instance_uid, series_uid, study_images, study_uid

from pfdcmd.edge.retrieve.ledger import FILE_NAME
from pfdcmd.errors import JobNotFound, ParameterFault, PeerConfigurationFault
from pfdcmd.pacs.selection import Selection
from pfdcmd.retrieve.job import RetrieveRequest

SMALL_BATCHES = replace(SETTINGS, retrieve_batch_images=3)


def reasons(job):
    return " ".join(text for series in job.series for text in series.reasons)


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(Behaviour(), id="well"),
        pytest.param(Behaviour(drops_every=7), id="drops every 7th silently"),
        pytest.param(Behaviour(fails_every=3, denies_failures=True), id="success with failures"),
        pytest.param(Behaviour(fails_every=3, lists_failures=False), id="failures"),
        pytest.param(Behaviour(sends_nothing=True, retrieves_concerned=SERIES), id="busy at first"),
        pytest.param(Behaviour(breaks_off_after=3), id="aborts in mid-series"),
        pytest.param(Behaviour(breaks_off_after=3, cuts_connection=True), id="resets in mid-series"),
        pytest.param(Behaviour(counts_instances=False), id="finds without counts"),
        pytest.param(Behaviour(find_refused_levels={"IMAGE": 0xA900}), id="no query at IMAGE level"),
        pytest.param(Behaviour(reports_counts=False), id="moves without counts"),
        pytest.param(Behaviour(miscounts=3), id="counts what it did not send"),
    ],
)
def test_everything_is_had_in_the_end_and_nothing_twice(listener, study, behaviour):
    with pacs_with(listener, study, behaviour) as pacs:
        job = retrieved(listener, pacs, whole(study))
    assert (job.state, job.verdict) == ("complete", f"All {SERIES * IMAGES} images of {SERIES} series are here.")
    assert sent_more_than_once(pacs) == []
    filed = [listener.named(f"*-{instance_uid(n, s, study)}.dcm") for s in (1, 2) for n in range(1, IMAGES + 1)]
    assert all(filed)


def test_only_the_missing_are_asked_for_again(listener, study):
    with pacs_with(listener, study, Behaviour(drops_every=7)) as pacs:
        retrieved(listener, pacs, whole(study))
    levels = [(request.level, request.instances) for request in pacs.asked("move")]
    again = {("IMAGE", (instance_uid(7, number, study),)) for number in (1, 2)}
    assert levels[:2] == [("SERIES", ())] * 2
    assert set(levels[2:]) == again


@pytest.mark.parametrize(
    ("behaviour", "state", "received", "reason"),
    [
        pytest.param(Behaviour(drops_every=1), "failed", 0, "but none arrived", id="drops all"),
        pytest.param(Behaviour(fails_every=1), "failed", 0, "named 8 of the missing images as failed", id="fails all"),
        pytest.param(
            Behaviour(fails_every=1, denies_failures=True), "failed", 0, "8 of 8 images were not sent", id="denies it"
        ),
        pytest.param(Behaviour(sends_nothing=True), "failed", 0, "success, but sent no image", id="always busy"),
        pytest.param(
            Behaviour(drops_every=7, refused_levels={"IMAGE": 0xA900}),
            "partial",
            7,
            "not all of the missing ones arrived",
            id="refuses IMAGE level",
        ),
        pytest.param(Behaviour(refused_levels={"SERIES": 0xA702}), "failed", 0, "OutOfResourcesSub", id="refuses"),
    ],
)
def test_what_cannot_be_had_is_said_and_why(listener, study, behaviour, state, received, reason):
    with pacs_with(listener, study, behaviour) as pacs:
        job = retrieved(listener, pacs, whole(study))
    assert job.state == state
    assert [series.received for series in job.series] == [received] * SERIES
    assert [len(series.missing) for series in job.series] == [IMAGES - received] * SERIES
    assert reason in reasons(job)
    assert f"{received * SERIES} of {SERIES * IMAGES} images are here" in job.verdict


@pytest.mark.parametrize("status", [0xA900, 0xC000])
def test_the_whole_series_is_asked_for_where_image_level_is_refused(listener, study, status):
    with pacs_with(listener, study, Behaviour(drops_every=7, refused_levels={"IMAGE": status})) as pacs:
        retrieved(listener, pacs, whole(study))
    levels = Counter(request.level for request in pacs.asked("move"))
    assert levels["IMAGE"] >= (1 if status == 0xA900 else 2)
    assert levels["SERIES"] >= 2 * SERIES


def test_a_pacs_that_stalls_is_given_up_and_asked_for_the_rest(listener, study):
    impatient = replace(SETTINGS, pacs_response_seconds=1)
    with pacs_with(listener, study, Behaviour(stalls_after=5, retrieves_concerned=SERIES)) as pacs:
        job = retrieved(listener, pacs, whole(study), settings=impatient)
    assert job.state == "complete"
    assert sent_more_than_once(pacs) == []


def test_a_pacs_that_takes_one_association_is_asked_by_one(listener, study):
    with pacs_with(listener, study, Behaviour(), max_associations=1) as pacs:
        job = retrieved(listener, pacs, whole(study), entry={"maxAssociations": "1"})
    assert (job.state, job.attempts) == ("complete", 1)


def test_a_pacs_that_shows_half_of_its_series_is_asked_for_the_study(listener, study):
    with pacs_with(listener, study, Behaviour(is_half_blind=True), series=4) as pacs:
        job = retrieved(listener, pacs, whole(study))
    assert job.state == "complete"
    assert len(job.series) == 4
    assert "STUDY" in {request.level for request in pacs.asked("move")}
    assert len(set(pacs.sent)) == 4 * IMAGES
    assert "disagrees with itself: of this series it lists 4 and counts 8" in reasons(job)


def test_a_pacs_that_lists_half_of_a_series_is_believed_in_what_it_sends(listener, study):
    with pacs_with(listener, study, Behaviour(is_half_blind=True, counts_instances=False)) as pacs:
        job = retrieved(listener, pacs, RetrieveRequest("main", study_uid(study), (series_uid(1, study),)))
    assert (job.state, job.series[0].expected, job.series[0].received) == ("complete", IMAGES, IMAGES)
    assert "lists 4 and sent 8" in reasons(job)


def test_a_pacs_that_does_not_know_the_destination(listener, study):
    with pacs_with(listener, study, Behaviour(), destinations={}) as pacs:
        job = retrieved(listener, pacs, whole(study))
    assert job.state == "failed"
    assert "MoveDestinationUnknown" in reasons(job)


def test_a_pacs_that_is_not_there(listener, study):
    with pacs_with(listener, study, Behaviour()) as pacs:
        pass
    job = retrieved(listener, pacs, whole(study))
    assert (job.state, job.attempts) == ("failed", SETTINGS.retrieve_attempts)
    assert "cannot be reached: Connection refused" in job.verdict


def test_a_study_that_is_not_there(listener, study):
    with pacs_with(listener, study, Behaviour()) as pacs:
        job = retrieved(listener, pacs, RetrieveRequest("main", "1.2.3.4"))
    assert (job.state, job.attempts) == ("failed", 1)
    assert job.verdict.endswith("The PACS knows no such study.")


def test_a_series_alone_is_enough(listener, study):
    with pacs_with(listener, study, Behaviour()) as pacs:
        job = retrieved(listener, pacs, RetrieveRequest("main", None, (series_uid(2, study),)))
    assert (job.state, job.request.study) == ("complete", study_uid(study))
    assert len(pacs.sent) == IMAGES


def test_a_series_alone_that_the_pacs_does_not_know_is_said_to_be_unknown(listener, study):
    with pacs_with(listener, study, Behaviour()) as pacs:
        job = retrieved(listener, pacs, RetrieveRequest("main", None, ("9.9.9",)))
    assert job.state == "failed"
    assert "knows no study of this series" in job.verdict
    assert not pacs.asked("move")


def test_what_was_deleted_by_hand_is_had_again_and_nothing_else(listener, study):
    deleted = [instance_uid(number, 1, study) for number in (2, 5)]

    async def run(pacs):
        async with jobs_of(pacs.entry, listener.root) as jobs:
            first = await jobs.start(whole(study))
            await jobs.wait(first.id)
            # what its association sends twice would be back at once
            await until(lambda: not listener.named("receiving.series"))
            for uid in deleted:
                listener.named(f"*-{uid}.dcm")[0].unlink()
            maps = str(listener.root / "log" / "series_map")
            standing = await jobs.standing(maps, series_uid(1, study))
            plan = await jobs.plan(whole(study))
            del pacs.sent[:]
            job = await jobs.wait((await jobs.start(whole(study))).id)
            return standing, plan, job

    with pacs_with(listener, study, Behaviour()) as pacs:
        standing, plan, job = asyncio.run(run(pacs))
        assert (standing.is_complete, standing.expected, standing.missing) == (False, IMAGES, 2)
        assert (plan["images"], plan["here"]) == (2, SERIES * IMAGES - 2)
        assert plan["bytes"] > 0
        assert plan["seconds"] > 0
        assert job.state == "complete"
        assert sorted(pacs.sent) == sorted(deleted)


def test_a_forced_retrieve_moves_everything_again(listener, study):
    async def run(pacs):
        async with jobs_of(pacs.entry, listener.root) as jobs:
            states = []
            for is_forced in (False, False, True):
                request = RetrieveRequest("main", study_uid(study), is_forced=is_forced)
                states.append((await jobs.wait((await jobs.start(request)).id)).state)
            return states

    with pacs_with(listener, study, Behaviour()) as pacs:
        assert asyncio.run(run(pacs)) == ["complete"] * 3
        assert set(Counter(pacs.sent).values()) == {2}


def test_a_job_is_one_however_often_it_is_asked_for_and_can_be_cancelled(listener, study):
    published = []

    async def run(pacs):
        async with jobs_of(pacs.entry, listener.root, published=published) as jobs:
            first = await jobs.start(whole(study))
            assert (await jobs.start(whole(study))).id == first.id
            await until(lambda: len(pacs.sent) > 3)
            job = await jobs.cancel(first.id)
            assert await jobs.get(first.id) == job
            assert (await jobs.list(limit=1))[0] == job
            assert (await jobs.start(whole(study))).id != first.id
            return job

    with pacs_with(listener, study, Behaviour(image_seconds=0.1)) as pacs:
        job = asyncio.run(run(pacs))
        assert job.state == "cancelled"
        assert job.verdict.startswith("Cancelled: ")
        assert 0 < len(pacs.sent) < SERIES * IMAGES
    told = [data for topic, data in published if topic == f"jobs/{job.id}"]
    assert [told[0]["state"], told[-1]["state"]] == ["queued", "cancelled"]
    assert any(0 < one["progress"]["received"] < SERIES * IMAGES for one in told)


def test_a_job_goes_on_with_what_is_missing_when_pfdcm_comes_back(listener, study):
    async def begin(pacs):
        async with jobs_of(pacs.entry, listener.root) as jobs:
            job = await jobs.start(whole(study))
            await until(lambda: len(pacs.sent) > 4)
            return job.id

    async def go_on(pacs, job_id):
        async with jobs_of(pacs.entry, listener.root) as jobs:
            return await jobs.wait(job_id)

    with pacs_with(listener, study, Behaviour(image_seconds=0.1)) as pacs:
        job_id = asyncio.run(begin(pacs))
        had = len(pacs.sent)
        job = asyncio.run(go_on(pacs, job_id))
    assert job.state == "complete"
    assert had < SERIES * IMAGES
    # An image that was on its way when pfdcm went may have been asked for once more.
    assert len(sent_more_than_once(pacs)) <= SERIES


def test_a_job_outlives_the_ledger_and_pfdcm(listener, study):
    async def run(pacs):
        state = listener.root / "state"
        async with jobs_of(pacs.entry, listener.root, SETTINGS) as jobs:
            job = await jobs.start(whole(study))
            await until(lambda: pacs.sent)
            # Its own file last: without that, another one is begun at once.
            for file in sorted(state.glob(f"{FILE_NAME}*"), reverse=True):
                file.unlink()
            assert not await jobs.list(limit=5)
            async with asyncio.timeout(SECONDS):
                while [one.id for one in await jobs.list(limit=5)] != [job.id]:
                    await asyncio.sleep(0.02)
        pacs.behaviour = Behaviour()
        async with jobs_of(pacs.entry, listener.root, SETTINGS) as jobs:
            return await jobs.wait(job.id)

    with pacs_with(listener, study, Behaviour(image_seconds=0.5)) as pacs:
        job = asyncio.run(run(pacs))
    assert job.state == "complete"


def test_a_job_waits_for_the_end_of_quiet_hours_and_says_so_to_whoever_waits(listener, study):
    async def run(pacs):
        async with jobs_of({**pacs.entry, "quietHours": "00:00-00:00"}, listener.root) as jobs:
            for _ in range(2):
                job, outcome = await jobs.retrieve(whole(study))
                assert (job.state, outcome.is_success) == ("queued", False)
                assert "quiet hours" in outcome.error
            await jobs.cancel(job.id)

    with pacs_with(listener, study, Behaviour()) as pacs:
        asyncio.run(run(pacs))
        assert pacs.requests == []


def test_a_rate_is_kept_by_asking_for_few_images_at_once(listener, study):
    with pacs_with(listener, study, Behaviour(), series=1) as pacs:
        job = retrieved(listener, pacs, whole(study), entry={"imagesPerSecond": 10}, settings=SMALL_BATCHES)
    assert job.state == "complete"
    assert [len(request.instances) for request in pacs.asked("move")] == [3, 3, 2]


def test_images_that_nobody_asked_for_are_listed(listener, study):
    async def run(pacs):
        async with jobs_of(pacs.entry, listener.root) as jobs:
            await jobs.wait((await jobs.start(RetrieveRequest("main", study_uid(study), (series_uid(1, study),)))).id)
            before = await jobs.unsolicited(limit=100)
            await jobs._site.pacs.retrieve(pacs.peer, Selection(study_uid(study + 1000), series_uid(1, study + 1000)))
            return before, await jobs.unsolicited(limit=100)

    images = study_images(study=study, series=1, images=2) + study_images(study=study + 1000, series=1, images=3)
    with misbehaving_pacs(images, destinations={CALLING_AE: (HOST, listener.port)}) as pacs:
        before, after = asyncio.run(run(pacs))
    ours = {series_uid(1, study), series_uid(1, study + 1000)}
    assert [row for row in before if row["series"] in ours] == []
    (row,) = [row for row in after if row["series"] in ours]
    assert (row["series"], row["images"]) == (series_uid(1, study + 1000), 3)


def test_requests_that_cannot_be_are_refused(listener, study):
    async def run(pacs):
        async with jobs_of({**pacs.entry, "quietHours": "always"}, listener.root) as jobs:
            with pytest.raises(PeerConfigurationFault, match="quietHours"):
                await jobs.start(whole(study))
            for request in (
                RetrieveRequest("other", "1.2"),
                RetrieveRequest("main", "*"),
                RetrieveRequest("main", None),
            ):
                with pytest.raises(ParameterFault):
                    await jobs.start(request)
            for call in (jobs.get, jobs.wait, jobs.cancel):
                with pytest.raises(JobNotFound):
                    await call("none")

    with pacs_with(listener, study, Behaviour()) as pacs:
        asyncio.run(run(pacs))
