"""The recorded session with a PACS, replayed against a real pfdcm, its listener and a real Orthanc.

Where the original failed (`note` in the recording, and a series queried by its UID alone) what must hold instead is
said in INSTEAD.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from orthanc import HOST, dicomdir_files, free_ports, running_orthanc
from pfdcmprocess import running
from recorded import GOLDEN, comparable, indexes, shape

pytestmark = pytest.mark.acceptance

RECORDED = json.loads(GOLDEN.read_text())
STEPS = {step["id"]: step for step in RECORDED["steps"]}
SERIES = "1.3.6.1.4.1.5962.1.1.0.0.0.1196533885.18148.0.118"
FILED_SECONDS = 30


def _fails_clearly(reply):
    assert reply["status"] is False
    assert set(reply) == {"status", "msg"}
    assert reply["msg"]
    assert "Traceback" not in reply["msg"]


def _finds_the_series(reply):
    assert reply["status"] is True
    assert reply["query"]["command"] == STEPS["query-seriesuid"]["reply"]["query"]["command"]
    (study,) = reply["query"]["data"]
    assert [series["SeriesInstanceUID"]["value"] for series in study["series"]] == [SERIES]


def _retrieves_as_with_the_study(reply):
    assert reply == STEPS["retrieve"]["reply"]


def _has_the_same_shape(reply):
    assert shape(reply) == shape(STEPS["listener-everything"]["reply"])


INSTEAD = {
    "listener-everything": _has_the_same_shape,
    "query-seriesuid": _finds_the_series,
    "query-no-on": _fails_clearly,
    "query-down": _fails_clearly,
    "retrieve-no-study": _retrieves_as_with_the_study,
}


class Session:
    """The replayed session: each step's reply with machine paths and ports as they were recorded, and what is filed."""

    def __init__(self, directory):
        self.replies = {}
        self.copies = directory / "copies"
        self.dicom = directory / "dicom"
        listener_port, self.down_port = free_ports(2)
        with (
            running_orthanc(directory / "orthanc", listener_port) as orthanc,
            running(directory, "--forever", "--httpResponse") as pfdcm,
        ):
            self.pacs_port = orthanc.dicom_port
            orthanc.load(dicomdir_files())
            assert orthanc.get("/statistics")["CountInstances"] == 81
            pfdcm.ask("internalctl", {"var": "/xinetd/servicePort", "set": str(listener_port)})
            for step in RECORDED["steps"]:
                self.replies[step["id"]] = self._replay(pfdcm, step)
        self.tree = self._listing(self.dicom, "/dicom")
        self.copied = self._listing(self.copies, "/tmp/gold-copy")

    def _replay(self, pfdcm, step):
        message = json.dumps(step["request"]["body"])
        for recorded, ours in (('"4242"', f'"{self.pacs_port}"'), ('"4299"', f'"{self.down_port}"')):
            message = message.replace(recorded, ours)
        message = json.loads(message.replace("/tmp/gold-copy", str(self.copies)))["payload"]
        reply = pfdcm.ask(message["action"], message["meta"])
        if message["meta"].get("do") == "retrieve" and reply["status"]:
            self._wait_until_filed(pfdcm, message["meta"]["PACS"])
        return self._as_recorded(json.dumps(reply))

    def _wait_until_filed(self, pfdcm, pacs):
        """The PACS ends its association with the listener after it has answered ours."""
        deadline = time.monotonic() + FILED_SECONDS
        meta = {"do": "retrieveStatus", "on": {"series_uid": SERIES}, "PACS": pacs}
        while not pfdcm.ask("PACSinteract", meta)["status"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def _as_recorded(self, text):
        for ours, recorded in ((self.pacs_port, "4242"), (self.down_port, "4299")):
            text = re.sub(rf'({re.escape(HOST)} |"serverPort": "){ours}\b', rf"\g<1>{recorded}", text)
        return json.loads(text.replace(str(self.copies), "/tmp/gold-copy").replace(str(self.dicom), "/dicom"))

    @staticmethod
    def _listing(root, shown):
        return {
            f"{shown}/{path.relative_to(root)}{'/' if path.is_dir() else ''}": path for path in sorted(root.rglob("*"))
        }


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return Session(tmp_path_factory.mktemp("session"))


@pytest.mark.parametrize("name", STEPS)
def test_step(session, name):
    reply = session.replies[name]
    if name in INSTEAD:
        INSTEAD[name](reply)
    else:
        assert comparable(reply) == comparable(STEPS[name]["reply"])


def test_only_notes_and_known_improvements_are_compared_otherwise():
    noted = {name for name, step in STEPS.items() if "note" in step}
    assert set(INSTEAD) - noted == {"listener-everything", "query-seriesuid"}


def test_a_study_left_out_leaves_its_place_empty(session):
    """Three studies have ModalitiesInStudy CT; this Orthanc finds the series of one of them by that key."""
    assert len(indexes(session.replies["query-modality"])) == len(indexes(STEPS["query-modality"]["reply"])) == 1
    assert indexes(session.replies["query-empty-on"]) == list(range(7))


def test_what_is_filed(session):
    tops = {"/".join(path.split("/")[:3]) for path in RECORDED["tree"]}
    filed = {path for path in session.tree if "/".join(path.rstrip("/").split("/")[:3]) in tops}
    # the audit of the listener's door has no like in the original
    filed.discard("/dicom/log/admission.jsonl")
    assert filed | {f"{top}/" for top in tops} == set(RECORDED["tree"]) | {f"{top}/" for top in tops}


@pytest.mark.parametrize("path", RECORDED["files"])
def test_contents_of_files(session, path):
    text = session.tree[path].read_text(encoding="utf-8").replace(str(session.dicom), "/dicom")
    if path.endswith(".json"):
        assert json.loads(text) == json.loads(RECORDED["files"][path])
    else:
        assert text == RECORDED["files"][path]


def test_what_is_copied(session):
    copied = {path.rstrip("/") for path in session.copied}
    assert copied == {path.rstrip("/") for path in RECORDED["copied"]} - {"/tmp/gold-copy"}
    (original,) = [Path(path) for shown, path in session.tree.items() if shown.endswith(f"{SERIES}/")]
    for path in session.copied.values():
        if path.is_file():
            assert path.read_bytes() == (original / path.name).read_bytes()
