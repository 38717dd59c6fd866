"""Retrieves from the real Orthanc while the daemon and its listener's workers are killed: everything arrives.

Orthanc's log says that it was asked again only for what was missing. At full length: RETRIEVE_SERIES=60
RETRIEVE_IMAGES=3000 RETRIEVE_DAEMON_KILLS=2 RETRIEVE_WORKER_KILLS=3.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal

import pytest
from orthanc import free_ports, running_orthanc
from pfdcmprocess import running
from services import wait_until
from studyimages import save, series_uid, study_images, study_uid

pytestmark = pytest.mark.acceptance

SERIES = int(os.environ.get("RETRIEVE_SERIES", "12"))
IMAGES = int(os.environ.get("RETRIEVE_IMAGES", "300"))
DAEMON_KILLS = int(os.environ.get("RETRIEVE_DAEMON_KILLS", "1"))
WORKER_KILLS = int(os.environ.get("RETRIEVE_WORKER_KILLS", "1"))
SECONDS = 60 + IMAGES / 10
# Orthanc reads an image's file, once, to send it; queries are answered from its index.
_SENT = re.compile(r"Read attachment .* with content type 1 ")
# Images that were on their way when somebody was killed: one on each association.
_ON_THEIR_WAY = 8


class Retrieving:
    """A loaded Orthanc, and the directory of a pfdcm that retrieves from it."""

    def __init__(self, directory, orthanc, listener_port):
        self.directory = directory
        self.orthanc = orthanc
        self.listener_port = listener_port
        self.log = directory / "orthanc" / "orthanc.log"

    @contextlib.contextmanager
    def pfdcm(self):
        entries = json.dumps({"main": self.orthanc.entry})
        options = ("--forever", "--httpResponse", "--setPACS", entries, "--retrieveBackoffSeconds", "1")
        with running(self.directory, *options) as pfdcm:
            yield pfdcm

    def listen(self, pfdcm):
        pfdcm.ask("internalctl", {"var": "/xinetd/servicePort", "set": str(self.listener_port)})
        assert pfdcm.ask("xinetd", {"object": "service", "do": "everything"})["status"] is True

    def filed(self):
        return len(list((self.directory / "dicom" / "data").rglob("*.dcm")))

    def sent(self):
        """How many images Orthanc has set out to send, by its log."""
        return len(_SENT.findall(self.log.read_text(errors="replace")))


def rpc(pfdcm, method, **params):
    """The result of one JSON-RPC call."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = json.loads(
        pfdcm.raw(body, path="/rpc", headers={"Content-Type": "application/json"}).split(b"\r\n\r\n", 1)[-1]
    )
    assert "result" in answer, answer
    return answer["result"]


@pytest.fixture
def retrieving(tmp_path):
    (port,) = free_ports(1)
    files = save(study_images(series=SERIES, images=IMAGES // SERIES), tmp_path / "images")
    with running_orthanc(tmp_path / "orthanc", port, options=("--verbose",)) as orthanc:
        assert orthanc.load(files) == SERIES * (IMAGES // SERIES)
        yield Retrieving(tmp_path, orthanc, port)


def test_jobs_end_complete_whoever_is_killed(retrieving):
    steps = ["daemon"] * DAEMON_KILLS + ["worker"] * WORKER_KILLS
    kills = [(kind, IMAGES * (index + 1) // (len(steps) + 2)) for index, kind in enumerate(sorted(steps))]
    with contextlib.ExitStack() as lives:
        pfdcm = lives.enter_context(retrieving.pfdcm())
        retrieving.listen(pfdcm)
        begun = [
            rpc(pfdcm, "retrieve.start", pacs="main", study=study_uid(), series=series_uid(number))["job"]
            for number in range(1, SERIES + 1)
        ]
        for kind, images in kills:
            wait_until(lambda least=images: retrieving.filed() >= least, SECONDS)
            if kind == "daemon":
                pfdcm.process.kill()
                pfdcm.process.wait(30)
                pfdcm = lives.enter_context(retrieving.pfdcm())
            else:
                pids = pfdcm.ask("internalctl", {"var": "/listeners/dicomlistener/pids", "get": "value"})["d_ret"]
                os.kill(_first_number(pids), signal.SIGKILL)
        wait_until(lambda: all(job["ended"] for job in jobs(pfdcm)), SECONDS)
        assert {job["job"] for job in jobs(pfdcm)} == set(begun)
        assert {(job["state"], job["progress"]["missing"]) for job in jobs(pfdcm)} == {("complete", 0)}
    total = SERIES * (IMAGES // SERIES)
    assert retrieving.filed() == total
    assert total <= retrieving.sent() <= total + _ON_THEIR_WAY * len(kills)


def jobs(pfdcm):
    return rpc(pfdcm, "retrieve.list", limit=SERIES + 1)


def _first_number(value):
    return int(re.search(r"\d+", json.dumps(value).partition("pids")[2])[0])
