"""What callers and senders write is data: it runs nothing, and leads nowhere outside the data directories."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pydicom
import pytest
from bench.workloads import make
from orthanc import dicomdir_files, free_ports, running_orthanc
from pfdcmprocess import running

from pfdcmd.pacs.keys import RETURN_KEYS

pytestmark = pytest.mark.acceptance

CLIMB = "../../../../../../tmp"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """(pfdcm with a listener and a loaded Orthanc as PACS `orthanc`, its directory, the listener's port)."""
    directory = tmp_path_factory.mktemp("h")
    (listener_port,) = free_ports(1)
    with (
        running_orthanc(directory / "orthanc", listener_port) as orthanc,
        running(directory, "--forever", "--httpResponse") as pfdcm,
    ):
        orthanc.load(dicomdir_files())
        pfdcm.ask("internalctl", {"var": "/PACS", "set": {"orthanc": orthanc.entry}})
        pfdcm.ask("internalctl", {"var": "/xinetd/servicePort", "set": str(listener_port)})
        assert pfdcm.ask("xinetd", {"object": "service", "do": "everything"})["status"] is True
        yield pfdcm, directory, listener_port


def shell_texts(mark):
    return [f'"; touch {mark}; "', f"'; touch {mark}; '", f"$(touch {mark})", f"`touch {mark}`", f"| touch {mark}"]


@pytest.mark.parametrize("key", sorted(RETURN_KEYS))
def test_shell_text_in_a_key_of_a_query(site, tmp_path, key):
    pfdcm, _, _ = site
    mark = tmp_path / "mark"
    for text in shell_texts(mark):
        reply = pfdcm.ask("PACSinteract", {"do": "query", "on": {key: text}, "PACS": "orthanc"})
        assert isinstance(reply["status"], bool)
        assert not mark.exists()
        if "query" in reply:
            # The command line is for people to paste: it must hand the text on and nothing more.
            subprocess.run(["sh", "-c", f"set -- {reply['query']['command']}"], check=True)
            assert not mark.exists()


def test_shell_text_elsewhere(site, tmp_path):
    pfdcm, _, _ = site
    mark = tmp_path / "mark"
    for text in shell_texts(mark):
        entry = {"serverIP": text, "serverPort": text, "aec": text, "aet": text}
        pfdcm.ask("internalctl", {"var": "/PACS", "set": {"hostile": entry}})
        for meta in (
            {"do": "query", "on": {"PatientID": "1"}, "PACS": "hostile"},
            {"do": "query", "on": {"PatientID": "1"}, "PACS": text},
            {"do": "retrieve", "on": {"StudyInstanceUID": text, "SeriesInstanceUID": text}, "PACS": "orthanc"},
            {"do": "retrieveStatus", "on": {"series_uid": text}, "PACS": "orthanc"},
        ):
            assert pfdcm.ask("PACSinteract", meta)["status"] is False
        before = pfdcm.ask("internalctl", {"var": "/bin/findscu", "get": "value"})["d_ret"]["/bin/findscu"]
        pfdcm.ask("internalctl", {"var": "/bin/findscu", "set": text})
        pfdcm.ask("PACSinteract", {"do": "query", "on": {"PatientID": "1"}, "PACS": "orthanc"})
        pfdcm.ask("internalctl", {"var": "/bin/findscu", "set": before})
        assert not mark.exists()


def test_climbing_out_by_a_caller(site, tmp_path):
    pfdcm, directory, _ = site
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.json").write_text('{"x": "/etc"}')
    climbing = os.path.relpath(outside, directory / "dicom" / "log" / "series_map") + "/x"
    before = listing(directory.parent)

    for text in (climbing, CLIMB, "..", "/etc/passwd", "x\0y"):
        status = pfdcm.ask("PACSinteract", {"do": "retrieveStatus", "on": {"series_uid": text}, "PACS": "orthanc"})
        assert status["status"] is False
        assert "DICOMdir" not in status["retrieveStatus"]
        tags = pfdcm.ask("internalDB", {"do": "DICOMtagsGet", "on": {"series_uid": text}})
        assert tags["status"] is False
        copy = pfdcm.ask("internalDB", {"do": "copy", "on": {"series_uid": text}, "to": {"path": str(outside)}})
        assert copy["status"] is False
        for name in (text, f"{text}/../orthanc"):
            reply = pfdcm.ask("PACSinteract", {"do": "query", "on": {}, "PACS": name})
            assert reply == {"status": False, "msg": "Invalid PACS specified."}

    assert listing(directory.parent) == before
    assert sorted(path.name for path in outside.iterdir()) == ["x.json"]


def test_a_copy_path_that_climbs_is_refused_or_stays_the_callers_choice(site, tmp_path):
    pfdcm, _, _ = site
    on = {"StudyInstanceUID": "1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.1"}
    on["SeriesInstanceUID"] = "1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.2"
    assert pfdcm.ask("PACSinteract", {"do": "retrieve", "on": on, "PACS": "orthanc"})["status"] is True
    for path in ("copies", "../copies", CLIMB, "", None):
        to = {"path": path}
        reply = pfdcm.ask("internalDB", {"do": "copy", "on": {"series_uid": on["SeriesInstanceUID"]}, "to": to})
        assert reply["status"] is False


@pytest.mark.parametrize(
    "keyword",
    ["PatientID", "PatientName", "StudyDescription", "SeriesDescription", "StudyDate", "SeriesDate", "InstanceNumber",
     "StudyInstanceUID", "SeriesInstanceUID"],
)  # fmt: skip
def test_climbing_out_by_a_sender(site, tmp_path, keyword):
    _, directory, port = site
    mark = tmp_path / "mark"
    (file,) = make(tmp_path, keyword, count=1, rows=8).files
    image = pydicom.dcmread(file)
    with pydicom.config.disable_value_validation():
        image.add_new(keyword, "LO", f"../../../../$(touch {mark})/x\\y"[:64] if "UID" not in keyword else "../../../x")
        image[keyword].VR = "LO"
        image.save_as(file)
    before = listing(directory, but=directory / "dicom")

    subprocess.run(
        ["storescu", "-aet", "../../x", "-aec", "../..", "127.0.0.1", str(port), str(file)], check=True, timeout=30
    )

    assert listing(directory, but=directory / "dicom") == before
    filed = [path for path in (directory / "dicom").rglob("*") if path.is_file()]
    assert any(path.name.endswith(f"{image.SOPInstanceUID}.dcm") for path in filed)
    assert not mark.exists()
    for path in (directory / "dicom").rglob("*"):
        assert path.name not in (".", "..")
        assert path.resolve().is_relative_to(directory / "dicom")


def listing(directory, but=None):
    """Every file below a directory, what the running programs write of themselves aside: logs, receipts, the ledger."""
    return {
        path
        for path in Path(directory).rglob("*")
        if not (but and path.is_relative_to(but))
        and not {"log", "receipts"}.intersection(path.parts)
        and not path.name.startswith("ledger.")
        and not path.is_relative_to(directory / "orthanc")
    }
