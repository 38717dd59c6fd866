"""While a retrieve runs: pfdcm answers others, and its death loses nothing that the PACS was told is stored."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pydicom
import pytest
from acknowledgements import AcknowledgementRelay
from bench.workloads import make
from orthanc import free_ports, running_orthanc
from pfdcmprocess import end_supervisord, running

pytestmark = pytest.mark.acceptance

IMAGES = 500
SECONDS = 60


@pytest.fixture(scope="module")
def workload(tmp_path_factory):
    return make(tmp_path_factory.mktemp("images"), "under way", count=IMAGES, rows=256)


@pytest.fixture
def retrieving(tmp_path, workload):
    """(pfdcm, relay, retrieve): a loaded PACS whose images pass a relay; retrieve() asks for the series."""
    listener_port, relay_port = free_ports(2)
    relay = AcknowledgementRelay(relay_port, listener_port)
    with (
        contextlib.closing(relay),
        running_orthanc(tmp_path / "orthanc", relay_port) as orthanc,
        running(tmp_path, "--forever", "--httpResponse") as pfdcm,
    ):
        assert orthanc.load(workload.files) == IMAGES
        pfdcm.ask("internalctl", {"var": "/PACS", "set": {"orthanc": orthanc.entry}})
        pfdcm.ask("internalctl", {"var": "/xinetd/servicePort", "set": str(listener_port)})
        assert pfdcm.ask("xinetd", {"object": "service", "do": "everything"})["status"] is True
        on = {"StudyInstanceUID": workload.study, "SeriesInstanceUID": workload.series}
        yield pfdcm, relay, lambda: pfdcm.ask("PACSinteract", {"do": "retrieve", "on": on, "PACS": "orthanc"})
        end_supervisord(tmp_path / "state")


def test_others_are_answered_while_a_retrieve_of_500_images_runs(retrieving, workload):
    pfdcm, relay, retrieve = retrieving
    status = {"do": "retrieveStatus", "on": {"series_uid": workload.series}, "PACS": "orthanc"}
    with ThreadPoolExecutor(34) as callers:
        retrieved = callers.submit(retrieve)
        wait_until(lambda: len(relay.acknowledged) > 10)
        polls = [callers.submit(pfdcm.ask, "PACSinteract", status) for _ in range(32)]
        got = callers.submit(pfdcm.ask, "internalctl", {"var": "/xinetd/servicePort", "get": "value"})
        replies = [poll.result(SECONDS) for poll in polls]
        assert got.result(SECONDS)["status"] is True
        assert not retrieved.done(), "the retrieve ended before the others were answered"
        assert {reply["retrieveStatus"]["msg"] for reply in replies} == {"Some DICOM files pending."}
        assert retrieved.result(SECONDS)["status"] is True

    wait_until(lambda: pfdcm.ask("PACSinteract", status)["status"])
    assert pfdcm.ask("PACSinteract", status)["retrieveStatus"]["numDCMfiles"] == IMAGES
    assert len(relay.acknowledged) == IMAGES


def test_kill_of_pfdcm_in_a_retrieve_loses_no_acknowledged_image(retrieving, workload, tmp_path):
    pfdcm, relay, retrieve = retrieving

    def retrieve_until_the_end():
        with contextlib.suppress(OSError, ValueError):  # pfdcm is killed while it is asked
            retrieve()

    caller = threading.Thread(target=retrieve_until_the_end)
    caller.start()
    wait_until(lambda: len(relay.acknowledged) > 50)
    os.kill(pfdcm.process.pid, signal.SIGKILL)
    caller.join(SECONDS)
    data = tmp_path / "dicom" / "data"
    wait_until(lambda: any(data.rglob("series.info")))

    filed = {file.stem.split("-", 1)[1]: file for file in data.rglob("*.dcm")}
    sent = {pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID: file for file in workload.files}
    assert len(relay.acknowledged) > 50
    assert relay.acknowledged <= filed.keys()
    for uid in relay.acknowledged:
        assert pydicom.dcmread(filed[uid]).PixelData == pydicom.dcmread(sent[uid]).PixelData

    with running(tmp_path, "--forever", "--httpResponse") as successor:
        status = {"do": "retrieveStatus", "on": {"series_uid": workload.series}, "PACS": "help"}
        reply = successor.ask("PACSinteract", status)
        told = reply["retrieveStatus"]
        assert told["numDCMfiles"] == len(filed)
        # The PACS had said how many there are: the successor knows that these are not all.
        assert (told["expected"], told["missing"]) == (IMAGES, IMAGES - len(filed))
        assert reply["status"] is (len(filed) == IMAGES)


def test_a_second_retrieve_of_the_same_series_is_pending_until_it_ends(retrieving, workload):
    pfdcm, _, retrieve = retrieving
    status = {"do": "retrieveStatus", "on": {"series_uid": workload.series}, "PACS": "orthanc"}
    for _ in range(2):
        assert retrieve()["status"] is True
        wait_until(lambda: pfdcm.ask("PACSinteract", status)["status"])
        assert pfdcm.ask("PACSinteract", status)["retrieveStatus"]["numDCMfiles"] == IMAGES
    assert len(list((Path(pfdcm.directory) / "dicom" / "data").rglob("*.dcm*"))) == IMAGES


def wait_until(is_so):
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)
