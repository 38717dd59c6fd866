"""The misbehaving PACS itself, asked by DCMTK-like plain pynetdicom: what other tests rely on."""

from __future__ import annotations

import contextlib
import threading

import pytest
from misbehavingpacs import AE_TITLE, HOST, Behaviour, misbehaving_pacs
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import CTImageStorage
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as FIND
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet as GET
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove as MOVE
from pynetdicomserver import serving
from studyimages import instance_uid, series_uid, study_images, study_uid


class Store:
    def __init__(self):
        self.port = 0
        self.received = []
        self.sockets = []

    def take(self, event):
        self.received.append((str(event.request.AffectedSOPInstanceUID), event.request.MoveOriginatorMessageID))
        return 0x0000


@contextlib.contextmanager
def storing():
    store = Store()
    entity = AE("CHIPS")
    entity.add_supported_context(CTImageStorage, "1.2.840.10008.1.2.1")
    with serving(entity, [(evt.EVT_C_STORE, store.take)], store.sockets) as store.port:
        yield store


@contextlib.contextmanager
def associated(pacs, model, **how):
    entity = AE("TEST")
    entity.dimse_timeout = 10
    entity.add_requested_context(model, "1.2.840.10008.1.2")
    if model == GET:
        entity.add_requested_context(CTImageStorage, "1.2.840.10008.1.2.1")
        how["ext_neg"] = [build_role(CTImageStorage, scp_role=True)]
    opened = []
    handlers = [(evt.EVT_CONN_OPEN, lambda event: opened.append(event.assoc.dul.socket.socket))]
    handlers += how.pop("evt_handlers", [])
    association = entity.associate(HOST, pacs.port, ae_title=AE_TITLE, evt_handlers=handlers, **how)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()
        association.kill()
        for connection in opened:
            connection.close()  # pynetdicom leaves one that was reset open


def identifier(level, **keys):
    one = Dataset()
    one.QueryRetrieveLevel = level
    one.StudyInstanceUID = study_uid()
    for keyword, value in keys.items():
        setattr(one, keyword, value)
    return one


def move(pacs, level="STUDY", **keys):
    with associated(pacs, MOVE) as association:
        return list(association.send_c_move(identifier(level, **keys), "CHIPS", MOVE, msg_id=77))


@contextlib.contextmanager
def both(behaviour=None, **how):
    images = study_images(series=2, images=7)
    with (
        storing() as store,
        misbehaving_pacs(images, behaviour, destinations={"CHIPS": (HOST, store.port)}, **how) as pacs,
    ):
        yield pacs, store


def final(responses):
    status, failed = responses[-1]
    return (
        status.Status,
        status.get("NumberOfCompletedSuboperations"),
        status.get("NumberOfFailedSuboperations"),
        failed,
    )


def test_a_good_pacs_sends_all_and_says_so():
    with both() as (pacs, store):
        responses = move(pacs)
    assert final(responses)[:3] == (0x0000, 14, 0)
    assert len(responses) == 15
    assert [uid for uid, _ in store.received] == pacs.sent
    assert {originator for _, originator in store.received} == {77}


def test_series_and_images_are_selected():
    with both() as (pacs, _):
        move(pacs, "SERIES", SeriesInstanceUID=series_uid(2))
        assert pacs.sent == [instance_uid(number, 2) for number in range(1, 8)]
        pacs.sent.clear()
        wanted = [instance_uid(3, 1), instance_uid(5, 1)]
        move(pacs, "IMAGE", SeriesInstanceUID=series_uid(1), SOPInstanceUID=wanted)
        assert pacs.sent == wanted
        assert pacs.asked("move")[-1].instances == tuple(wanted)


def test_dropped_images_are_counted_as_sent():
    with both(Behaviour(drops_every=7)) as (pacs, store):
        assert final(move(pacs))[:3] == (0x0000, 14, 0)
    assert len(store.received) == 12


@pytest.mark.parametrize(("denies", "status"), [(False, 0xB000), (True, 0x0000)])
def test_failed_images_are_counted_as_failed(denies, status):
    with both(Behaviour(fails_every=5, denies_failures=denies)) as (pacs, store):
        *counts, failed = final(move(pacs))
    assert counts == [status, 12, 2]
    assert len(store.received) == 12
    if not denies:
        assert list(failed.FailedSOPInstanceUIDList) == [instance_uid(5, 1), instance_uid(3, 2)]


def test_a_busy_pacs_sends_nothing_for_so_many_retrieves():
    with both(Behaviour(sends_nothing=True, retrieves_concerned=1)) as (pacs, store):
        assert final(move(pacs))[:3] == (0x0000, 0, 0)
        assert not store.received
        assert final(move(pacs))[:3] == (0x0000, 14, 0)


@pytest.mark.parametrize("cuts", [False, True])
def test_it_breaks_off_in_the_middle(cuts):
    with both(Behaviour(breaks_off_after=3, cuts_connection=cuts)) as (pacs, store):
        assert "Status" not in move(pacs)[-1][0]
    assert len(store.received) == 3


def test_a_refused_level():
    with both(Behaviour(refused_levels={"IMAGE": 0xA900})) as (pacs, _):
        responses = move(pacs, "IMAGE", SeriesInstanceUID=series_uid(1), SOPInstanceUID=instance_uid(1, 1))
        assert [status.Status for status, _ in responses] == [0xA900]


def test_wrong_counts_and_none():
    with both(Behaviour(miscounts=5)) as (pacs, _):
        assert final(move(pacs))[1] == 19
    with both(Behaviour(reports_counts=False)) as (pacs, _):
        assert final(move(pacs))[:3] == (0x0000, None, None)


def test_a_cancel_ends_a_stalled_retrieve_with_the_counts_so_far():
    with both(Behaviour(stalls_after=4)) as (pacs, _), associated(pacs, MOVE) as association:
        responses = association.send_c_move(identifier("STUDY"), "CHIPS", MOVE, msg_id=5)
        for _ in range(4):
            next(responses)
        association.send_c_cancel(5, query_model=MOVE)
        assert final(list(responses))[:3] == (0xFE00, 4, 0)
    assert pacs.cancels == 1


def test_what_c_find_answers():
    with both() as (pacs, _), associated(pacs, FIND) as association:
        keys = identifier("SERIES", SeriesInstanceUID="", NumberOfSeriesRelatedInstances=None)
        found = [match for status, match in association.send_c_find(keys, FIND) if match]
        assert [match.SeriesInstanceUID for match in found] == [series_uid(1), series_uid(2)]
        assert [match.NumberOfSeriesRelatedInstances for match in found] == [7, 7]
        pacs.behaviour = Behaviour(is_half_blind=True, counts_instances=False)
        (only,) = [match for status, match in association.send_c_find(keys, FIND) if match]
        assert "NumberOfSeriesRelatedInstances" not in only


def test_images_by_c_get_and_one_association_at_a_time():
    received = []
    done = threading.Event()

    def take(event):
        received.append(event.request.AffectedSOPInstanceUID)
        done.set()
        return 0x0000

    with (
        both(Behaviour(drops_every=7), max_associations=1) as (pacs, _),
        associated(pacs, GET, evt_handlers=[(evt.EVT_C_STORE, take)]) as association,
    ):
        responses = list(association.send_c_get(identifier("STUDY"), GET))
        assert final(responses)[:3] == (0x0000, 14, 0)
        with associated(pacs, FIND) as second:
            assert second.is_rejected
    assert len(received) == 12
