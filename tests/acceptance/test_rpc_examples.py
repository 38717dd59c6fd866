"""Every example of every method, called at a real pfdcm with a real PACS and a real listener."""

from __future__ import annotations

import contextlib
import time

import jsonrpcclient
import pytest
from jsonschema import Draft7Validator
from orthanc import free_ports, running_orthanc
from pfdcmprocess import running
from rpccaller import RpcCaller
from studyimages import image

from pfdcmd.methods.sample import PATIENT_ID, SERIES_UID, STUDY_UID
from pfdcmd.methods.table import METHODS

pytestmark = pytest.mark.acceptance

# Over a WebSocket alone.
NOT_BY_POST = {"events.subscribe", "events.unsubscribe"}
# What others' examples need.
LAST = ("pacs.remove", "system.shutdown")
SECONDS = 60


class Site:
    """The pfdcm, and what the examples' names stand for here."""

    def __init__(self, pfdcm, orthanc, directory):
        self.pfdcm = pfdcm
        self.caller = RpcCaller(pfdcm.port)
        self.job = ""
        self._stands_for = {
            "port": orthanc.dicom_port,
            "path": {"/data/project": str(directory / "project")},
        }

    def call(self, method, params):
        """The result. A response that is an error fails the test."""
        answer = jsonrpcclient.parse(self.caller.send(jsonrpcclient.request(method, self._here(method, params))))
        assert isinstance(answer, jsonrpcclient.Ok), f"{method}: {answer}"
        if method == "retrieve.start":
            self.job = answer.result["job"]
            self._await_the_end_of_the_job()
        return answer.result

    def _here(self, method, params):
        here = dict(params)
        if method == "pacs.add":
            here["port"] = self._stands_for["port"]
        if "job" in here:
            here["job"] = self.job
        if method == "files.copy":
            here["path"] = self._stands_for["path"][here["path"]]
        return here

    def _await_the_end_of_the_job(self):
        deadline = time.monotonic() + SECONDS
        while (job := self.caller.call("retrieve.status", {"job": self.job}))["state"] in ("queued", "running"):
            assert time.monotonic() < deadline, job
            time.sleep(0.1)
        assert job["state"] == "complete", job


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    directory = tmp_path_factory.mktemp("examples")
    one = image(1, 1, 1)
    one.StudyInstanceUID, one.SeriesInstanceUID, one.PatientID = STUDY_UID, SERIES_UID, PATIENT_ID
    file = directory / "one.dcm"
    one.save_as(file, enforce_file_format=True)
    (listener_port,) = free_ports(1)
    with (
        running_orthanc(directory / "orthanc", listener_port) as orthanc,
        running(directory, "--forever") as pfdcm,
    ):
        assert orthanc.load([file]) == 1
        site = Site(pfdcm, orthanc, directory)
        site.caller.call("tree.set", {"path": "/xinetd/servicePort", "value": str(listener_port)})
        assert site.caller.call("xinetd", {"object": "service", "do": "everything"})["status"] is True
        site.caller.call("tree.set", {"path": "/xinetd/servicePort", "value": "10402"})
        with contextlib.closing(site.caller):
            yield site


def same_shape(shown, real):
    """Whether the result has what the example shows: keys, and of lists what their first items are."""
    if isinstance(shown, dict):
        return isinstance(real, dict) and all(key in real and same_shape(shown[key], real[key]) for key in shown)
    if isinstance(shown, list) and isinstance(real, list):
        return not shown or not real or same_shape(shown[0], real[0])
    is_number = isinstance(shown, int | float) and isinstance(real, int | float)
    return shown is None or real is None or is_number or type(shown) is type(real)


def test_every_example(site):
    methods = [each for each in METHODS.values() if each.name not in (*NOT_BY_POST, *LAST)]
    called = []
    for method in (*methods, *(METHODS[name] for name in LAST)):
        for example in method.examples:
            result = site.call(method.name, example.params)
            Draft7Validator(method.result).validate(result)
            assert same_shape(example.result, result), f"{method.name}: {result}"
            called.append(method.name)
    assert site.pfdcm.wait() == 0
    assert set(called) == {name for name, each in METHODS.items() if each.examples and name not in NOT_BY_POST}
