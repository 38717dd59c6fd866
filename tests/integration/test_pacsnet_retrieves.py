"""retrieve: progress, levels, batches, cancelling, what the PACS gets wrong, and C-GET passed on to a listener."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest
from misbehavingpacs import CALLING_AE, HOST, STUDY_FIND, STUDY_MOVE, Behaviour, misbehaving_pacs
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage
from pynetdicomserver import serving
from retrieving import until
from studyimages import instance_uid, series_uid, study_images, study_uid

from pfdcmd.edge.pacs import link
from pfdcmd.edge.pacs.net import PacsNet
from pfdcmd.errors import ParameterFault
from pfdcmd.names import AETitle, Port
from pfdcmd.pacs.delivery import Delivery
from pfdcmd.pacs.selection import Selection
from pfdcmd.settings import Settings

pytestmark = pytest.mark.usefixtures("no_thread_is_left")
SETTINGS = Settings(pacs_connect_seconds=2, pacs_association_seconds=2, pacs_response_seconds=5, pacs_query_seconds=20)
STUDY = Selection(study_uid())
IMAGES = study_images(series=2, images=6)


class Receiver:
    """A storage SCP: what it got, byte for byte, and whose it was said to be."""

    def __init__(self):
        self.received = {}
        self.originators = set()
        self.status = 0x0000
        self.aborts_after = None
        self.sockets = []
        self.port = 0

    def take(self, event):
        if len(self.received) == self.aborts_after:
            self.aborts_after = None
            event.assoc.abort()
            return 0xC000
        request = event.request
        self.received[str(request.AffectedSOPInstanceUID)] = request.DataSet.getvalue()
        self.originators.add((request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID))
        return self.status

    @property
    def delivery(self):
        return Delivery(HOST, Port(self.port), AETitle(CALLING_AE))


@contextlib.contextmanager
def receiving():
    receiver = Receiver()
    entity = AE(CALLING_AE)
    entity.add_supported_context(CTImageStorage, ExplicitVRLittleEndian)
    with serving(entity, [(evt.EVT_C_STORE, receiver.take)], receiver.sockets) as receiver.port:
        yield receiver


@contextlib.contextmanager
def site(behaviour=None, images=None, **how):
    with (
        receiving() as receiver,
        misbehaving_pacs(
            IMAGES if images is None else images, behaviour, destinations={CALLING_AE: (HOST, receiver.port)}, **how
        ) as pacs,
    ):
        yield pacs, receiver


def retrieve(pacs, *selections, receiver=None, settings=SETTINGS):
    """By C-GET when there is a receiver to deliver to, else by C-MOVE."""
    peer = replace(pacs.peer, prefers_get=receiver is not None)
    delivery = receiver.delivery if receiver is not None else None

    async def run():
        return await PacsNet(settings).retrieve(peer, *(selections or (STUDY,)), deliver_to=delivery)

    return asyncio.run(run())


def counts_of(outcome):
    return outcome.counts.completed, outcome.counts.failed, outcome.counts.warning


@pytest.mark.parametrize("by_get", [False, True])
def test_all_images_come_and_are_counted(by_get):
    with site() as (pacs, receiver):
        outcome = retrieve(pacs, receiver=receiver if by_get else None)
    assert outcome.is_success
    assert (outcome.status, counts_of(outcome), outcome.study_uid) == (0x0000, (12, 0, 0), study_uid())
    assert len(receiver.received) == 12
    assert receiver.originators == {(CALLING_AE, outcome.message_id)}
    assert [request.kind for request in pacs.requests if request.kind != "find"] == ["get" if by_get else "move"]


def test_images_come_by_c_get_as_the_pacs_has_them():
    with site() as (pacs, receiver):
        retrieve(pacs, receiver=receiver)
    for image in IMAGES:
        assert image.PixelData in receiver.received[image.SOPInstanceUID]


@pytest.mark.parametrize("by_get", [False, True])
def test_series_and_images_are_asked_for_at_their_levels(by_get):
    with site() as (pacs, receiver):
        way = receiver if by_get else None
        assert counts_of(retrieve(pacs, Selection(study_uid(), series_uid(2)), receiver=way)) == (6, 0, 0)
        wanted = (instance_uid(2, 1), instance_uid(5, 1))
        outcome = retrieve(pacs, Selection(study_uid(), series_uid(1), wanted), receiver=way)
    assert counts_of(outcome) == (2, 0, 0)
    assert pacs.sent[-2:] == list(wanted)


def test_many_images_are_asked_for_in_batches_on_one_association():
    images = study_images(series=1, images=450)
    missing = tuple(image.SOPInstanceUID for image in images[::2])
    behaviour = Behaviour(drops_every=1)
    with site(behaviour, images) as (pacs, _):
        outcome = retrieve(pacs, Selection(study_uid(), series_uid(1), missing))
    assert [len(request.instances) for request in pacs.asked("move")] == [200, 25]
    assert pacs.associations == 1
    assert outcome.counts.completed == 225


@pytest.mark.parametrize("by_get", [False, True])
def test_several_series_are_asked_for_on_one_association(by_get):
    images = study_images(series=3, images=4)
    chosen = [Selection(study_uid(), series_uid(number)) for number in (3, 1)]
    with site(images=images) as (pacs, receiver):
        outcome = retrieve(pacs, *chosen, receiver=receiver if by_get else None)
    assert outcome.is_success
    assert (counts_of(outcome), outcome.study_uid) == ((8, 0, 0), study_uid())
    kind = "get" if by_get else "move"
    assert [request.keys["SeriesInstanceUID"] for request in pacs.asked(kind)] == [series_uid(3), series_uid(1)]
    assert pacs.associations == len(pacs.asked("find")) + 1


def test_batches_end_with_the_first_that_is_refused():
    missing = tuple(instance_uid(number, 1) for number in range(1, 402))
    with site(Behaviour(refused_levels={"IMAGE": 0xA900})) as (pacs, _):
        outcome = retrieve(pacs, Selection(study_uid(), series_uid(1), missing))
    assert len(pacs.asked("move")) == 1
    assert outcome.refuses_request
    assert outcome.status == 0xA900


@pytest.mark.parametrize("by_get", [False, True])
def test_failed_images_are_named_as_the_pacs_names_them(by_get):
    with site(Behaviour(fails_every=5)) as (pacs, receiver):
        outcome = retrieve(pacs, receiver=receiver if by_get else None)
    assert (outcome.is_success, outcome.status, counts_of(outcome)) == (False, 0xB000, (10, 2, 0))
    assert outcome.failed_instances == (instance_uid(5, 1), instance_uid(4, 2))


def test_success_with_failures_and_success_with_nothing_are_errors():
    with site(Behaviour(fails_every=5, denies_failures=True)) as (pacs, _):
        outcome = retrieve(pacs)
        assert (outcome.is_success, outcome.status, counts_of(outcome)) == (False, 0x0000, (10, 2, 0))
    with site(Behaviour(sends_nothing=True)) as (pacs, _):
        outcome = retrieve(pacs)
    assert (outcome.is_success, outcome.refuses_request, counts_of(outcome)) == (False, False, (0, 0, 0))


@pytest.mark.parametrize("by_get", [False, True])
@pytest.mark.parametrize("cuts", [False, True])
def test_a_pacs_that_breaks_off_in_the_middle(cuts, by_get):
    with site(Behaviour(breaks_off_after=4, cuts_connection=cuts)) as (pacs, receiver):
        outcome = retrieve(pacs, receiver=receiver if by_get else None)
    assert (outcome.is_success, outcome.status) == (False, None)
    assert "broke off" in outcome.error
    assert len(receiver.received) == 4


@pytest.mark.parametrize("by_get", [False, True])
def test_a_pacs_that_stalls(by_get):
    with site(Behaviour(stalls_after=3)) as (pacs, receiver):
        outcome = retrieve(
            pacs, receiver=receiver if by_get else None, settings=replace(SETTINGS, pacs_response_seconds=1)
        )
    assert outcome.status is None
    assert "did not answer within 1 s" in outcome.error
    assert len(receiver.received) == 3


def test_pending_responses_keep_a_long_move_alive(monkeypatch):
    monkeypatch.setattr(link, "_SPARE_SECONDS", 0.0)
    with site(Behaviour(image_seconds=0.3)) as (pacs, receiver):
        outcome = retrieve(pacs, settings=replace(SETTINGS, pacs_response_seconds=1.5))
    assert outcome.error == ""
    assert len(receiver.received) == len(IMAGES)


def test_without_counts():
    with site(Behaviour(reports_counts=False)) as (pacs, _):
        outcome = retrieve(pacs)
    assert outcome.is_success
    assert counts_of(outcome) == (None, None, None)


@pytest.mark.parametrize("by_get", [False, True])
@pytest.mark.parametrize("ignores", [False, True])
def test_cancelling_tells_the_pacs_and_breaks_off_when_it_does_not_listen(ignores, by_get):
    async def run(pacs, receiver):
        peer = replace(pacs.peer, prefers_get=by_get)
        task = asyncio.ensure_future(PacsNet(SETTINGS).retrieve(peer, STUDY, deliver_to=receiver.delivery))
        await until(lambda: receiver.received)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    # Slow enough that it cannot have finished; the end of a PACS that does not listen is the end of the association.
    with site(Behaviour(image_seconds=0.5, ignores_cancel=ignores)) as (pacs, receiver):
        asyncio.run(run(pacs, receiver))
        assert pacs.cancels == (0 if ignores else 1)
    assert len(pacs.sent) < len(IMAGES)


def test_nothing_more_is_asked_for_after_cancelling_though_something_failed_before():
    images = study_images(series=3, images=4)
    chosen = [Selection(study_uid(), series_uid(number)) for number in (1, 2, 3)]

    async def run(pacs):
        task = asyncio.ensure_future(PacsNet(SETTINGS).retrieve(pacs.peer, *chosen))
        await until(lambda: len(pacs.asked("move")) == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with site(Behaviour(image_seconds=0.2, fails_every=4), images) as (pacs, _):
        asyncio.run(run(pacs))
        assert pacs.cancels == 1
        assert len(pacs.asked("move")) == 2


def test_a_pacs_without_c_get_is_moved_from():
    with site(serves=[STUDY_FIND, STUDY_MOVE]) as (pacs, receiver):
        outcome = retrieve(pacs, receiver=receiver)
    assert outcome.is_success
    assert [request.kind for request in pacs.requests][-1] == "move"


def test_the_listeners_status_is_given_to_the_pacs():
    with site() as (pacs, receiver):
        receiver.status = 0xA700
        outcome = retrieve(pacs, receiver=receiver)
    assert counts_of(outcome) == (0, 12, 0)
    assert len(outcome.failed_instances) == 12


def test_a_listener_that_breaks_off_is_given_the_same_image_again():
    with site() as (pacs, receiver):
        receiver.aborts_after = 3
        outcome = retrieve(pacs, receiver=receiver)
        assert len(receiver.sockets) == 2
    assert counts_of(outcome) == (12, 0, 0)
    assert len(receiver.received) == 12


def test_an_image_that_is_larger_than_allowed_ends_the_c_get():
    large = study_images(series=1, images=2)
    large[1].PixelData = bytes(2 * 1024 * 1024)
    settings = replace(SETTINGS, pacs_max_image_bytes=1024 * 1024)
    with site(images=large) as (pacs, receiver):
        outcome = retrieve(pacs, receiver=receiver, settings=settings)
    assert (outcome.is_success, outcome.status) == (False, None)
    assert list(receiver.received) == [large[0].SOPInstanceUID]


def test_a_listener_that_is_down_ends_the_c_get_and_is_named():
    with site() as (pacs, _):
        nowhere = Receiver()
        nowhere.port = 1
        outcome = retrieve(pacs, receiver=nowhere)
    assert not outcome.is_success
    assert "CHIPS at 127.0.0.1:1 did not take an image: Connection refused" in outcome.error
    assert pacs.cancels == 1


def test_a_pacs_with_one_association_at_a_time_is_asked_in_turn():
    async def run(pacs, receiver):
        net = PacsNet(SETTINGS)
        peer = replace(pacs.peer, max_associations=1)
        series = [Selection(study_uid(), series_uid(number)) for number in (1, 2)]
        return await asyncio.gather(*(net.retrieve(peer, one) for one in series), net.echo(peer))

    with site(max_associations=1) as (pacs, receiver):
        first, second, _ = asyncio.run(run(pacs, receiver))
    assert first.is_success
    assert second.is_success


@pytest.mark.parametrize(
    "selection",
    [Selection("*"), Selection("1.2", ""), Selection("1.2", "1.*"), Selection("1.2", None, ("1.2.3",))],
)
def test_what_would_select_more_than_meant_is_not_sent(selection):
    with misbehaving_pacs([]) as pacs:
        with pytest.raises(ParameterFault):
            retrieve(pacs, selection)
        assert not pacs.associations
