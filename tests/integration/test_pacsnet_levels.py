"""C-ECHO and C-FIND at each level: what is asked, what comes, limits, and readers that are slow or leave."""

from __future__ import annotations

import asyncio
import socket
import threading
from dataclasses import replace

import pytest
from awkwardpacs import Behaviour as Awkward
from awkwardpacs import awkward_pacs, peer_at
from misbehavingpacs import HOST, Behaviour, misbehaving_pacs
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as STUDY_FIND
from studyimages import instance_uid, series_uid, study_images, study_uid

from pfdcmd.edge.pacs.net import PacsNet
from pfdcmd.errors import KeysRefused, ParameterFault, PeerLacksService, PeerTimeout
from pfdcmd.pacs.level import LevelQuery
from pfdcmd.pacs.query import parse_query
from pfdcmd.settings import Settings

pytestmark = pytest.mark.usefixtures("no_thread_is_left")
SETTINGS = Settings(pacs_connect_seconds=2, pacs_association_seconds=2, pacs_response_seconds=5, pacs_query_seconds=20)
MANY = 100_000


def found(peer, level, keys, limit=MANY, settings=SETTINGS):
    async def run():
        return [match async for match in PacsNet(settings).find_level(peer, LevelQuery(level, keys, limit))]

    return asyncio.run(run())


def test_echo():
    with misbehaving_pacs([]) as pacs:
        asyncio.run(PacsNet(SETTINGS).echo(pacs.peer))
        assert [request.kind for request in pacs.requests] == ["echo"]


def test_echo_of_a_pacs_without_it():
    with misbehaving_pacs([], serves=[STUDY_FIND]) as pacs, pytest.raises(PeerLacksService):
        asyncio.run(PacsNet(SETTINGS).echo(pacs.peer))


def test_every_level_with_its_unique_keys():
    images = study_images(series=2, images=3) + study_images(study=2, series=1, images=1)
    with misbehaving_pacs(images) as pacs:
        assert found(pacs.peer, "PATIENT", {"PatientName": ""}) == [
            {"PatientName": "Synthetic^Patient", "PatientID": "S1"},
            {"PatientName": "Synthetic^Patient", "PatientID": "S2"},
        ]
        assert found(pacs.peer, "STUDY", {"0008,1030": ""}) == [
            {"StudyDescription": f"Study {number}", "StudyInstanceUID": study_uid(number)} for number in (1, 2)
        ]
        series = found(pacs.peer, "SERIES", {"StudyInstanceUID": study_uid(), "NumberOfSeriesRelatedInstances": ""})
        assert [(match["SeriesInstanceUID"], match["NumberOfSeriesRelatedInstances"]) for match in series] == [
            (series_uid(1), "3"),
            (series_uid(2), "3"),
        ]
        keys = {"StudyInstanceUID": study_uid(), "SeriesInstanceUID": series_uid(2), "00280010": ""}
        instances = found(pacs.peer, "IMAGE", keys)
        assert [match["SOPInstanceUID"] for match in instances] == [instance_uid(n, 2) for n in (1, 2, 3)]
        assert {match["Rows"] for match in instances} == {"8"}


def test_what_a_pacs_does_not_say_is_empty():
    with misbehaving_pacs(study_images(series=1, images=1), Behaviour(counts_instances=False)) as pacs:
        (match,) = found(pacs.peer, "SERIES", {"StudyInstanceUID": study_uid(), "NumberOfSeriesRelatedInstances": ""})
    assert match["NumberOfSeriesRelatedInstances"] == ""


def test_a_private_element_comes_as_text_or_bytes():
    awkward = Awkward(extra={0x00290010: b"MAKER", 0x00291001: b"\x01\x02", 0x00100010: b"Doe"})
    with awkward_pacs(awkward) as pacs:
        match, _ = found(pacs.peer, "STUDY", {"0029,1001": "", "PatientName": ""})
    assert match["00291001"] == "0102"
    assert match["00290010"] == "MAKER"
    assert match["PatientName"] == "Doe"


def test_a_key_that_cannot_be_used_reaches_no_pacs():
    with misbehaving_pacs([]) as pacs:
        with pytest.raises(ParameterFault, match="sequence"):
            found(pacs.peer, "STUDY", {"ReferencedStudySequence": ""})
        assert not pacs.associations


def test_keys_that_the_pacs_refuses():
    behaviour = Behaviour(find_refused_levels={"IMAGE": 0xA900})
    with misbehaving_pacs([], behaviour) as pacs, pytest.raises(KeysRefused):
        found(pacs.peer, "IMAGE", {})


def test_at_the_limit_the_pacs_is_told_to_stop_and_the_association_ends_in_order():
    with awkward_pacs(Awkward(endless=True)) as pacs:
        assert len(found(pacs.peer, "STUDY", {}, limit=10)) == 10
        assert pacs.stopped.wait(5)


def test_a_limit_that_is_just_reached_is_no_fault():
    with misbehaving_pacs(study_images(series=3, images=1)) as pacs:
        assert len(found(pacs.peer, "SERIES", {"StudyInstanceUID": study_uid()}, limit=3)) == 3


def test_a_reader_that_leaves_has_the_pacs_told_to_stop():
    async def run(pacs):
        matches = PacsNet(SETTINGS).find_level(pacs.peer, LevelQuery("STUDY", {}, MANY))
        async for _ in matches:
            break
        await matches.aclose()
        return await asyncio.to_thread(pacs.stopped.wait, 5)

    with awkward_pacs(Awkward(endless=True)) as pacs:
        assert asyncio.run(run(pacs))


def test_a_slow_reader_holds_the_pacs_back_and_misses_nothing():
    studies = {f"1.{number}": [] for number in range(1, 601)}

    async def run(pacs):
        matches = PacsNet(SETTINGS).find_level(pacs.peer, LevelQuery("STUDY", {}, MANY))
        uids = [(await anext(matches))["StudyInstanceUID"]]
        # The thread has come to a stop when nothing moves any more.
        await asyncio.sleep(0.5)
        return uids + [match["StudyInstanceUID"] async for match in matches]

    with awkward_pacs(Awkward(studies=studies)) as pacs:
        assert asyncio.run(run(pacs)) == list(studies)


def test_a_reader_that_never_comes_back_is_ended_by_the_querys_time():
    async def run(pacs):
        settings = replace(SETTINGS, pacs_query_seconds=1)
        matches = PacsNet(settings).find_level(pacs.peer, LevelQuery("STUDY", {}, MANY))
        await anext(matches)
        await asyncio.to_thread(pacs.stopped.wait, 10)
        with pytest.raises(PeerTimeout):
            async for _ in matches:
                pass

    with awkward_pacs(Awkward(endless=True)) as pacs:
        asyncio.run(run(pacs))


def test_the_wait_for_a_turn_is_in_the_querys_time():
    settings = replace(SETTINGS, pacs_query_seconds=0.5, pacs_response_seconds=60)

    async def run(peer):
        net = PacsNet(replace(settings, pacs_query_seconds=60))
        stuck = asyncio.ensure_future(net.find(peer, parse_query({})))
        waiting = PacsNet(settings)
        waiting._turns = net._turns
        await asyncio.sleep(0)
        with pytest.raises(PeerTimeout, match="in use"):
            await waiting.echo(peer)
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)

    with awkward_pacs(Awkward(stalls=True)) as pacs:
        asyncio.run(run(replace(pacs.peer, max_associations=1)))


def test_a_name_server_that_does_not_answer(monkeypatch):
    released = threading.Event()
    known = socket.getaddrinfo
    looked_up = []

    def look_up(host, *arguments, **options):
        if host == HOST:
            return known(host, *arguments, **options)
        released.wait(20)
        looked_up.append(host)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    settings = replace(SETTINGS, pacs_connect_seconds=0.3)
    peer = replace(peer_at(104), host="pacs.example.org")
    with pytest.raises(PeerTimeout, match=r"could not be looked up within 0\.3 s"):
        asyncio.run(PacsNet(settings).echo(peer))
    assert not looked_up
    released.set()
