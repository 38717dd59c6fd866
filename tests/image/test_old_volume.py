"""The swap: a volume in the original's layout, with real files, some without preamble, is served by the image."""

import json
from pathlib import Path

import pydicom
import pytest
from engine import images, running, wait_until
from test_end import send

RECORDED = json.loads((Path(__file__).parents[1] / "golden" / "pacs.json").read_text())
STEPS = {step["id"]: step["reply"] for step in RECORDED["steps"]}
PREAMBLE_BYTES = 128 + 4
SERIES = {Path(path).stem: text for path, text in RECORDED["files"].items() if "/series_map/" in path}
ROOT = ("--user", "0")


def write_volume(root):
    """The recorded tree below root, which stands for /dicom: every second image without its preamble."""
    by_uid = {str(pydicom.dcmread(file).SOPInstanceUID): file for file in images()}
    written = []
    for path in RECORDED["tree"]:
        place = root / path.removeprefix("/dicom/")
        if path.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.suffix == ".dcm":
            content = by_uid[place.stem.partition("-")[2]].read_bytes()
            place.write_bytes(content[PREAMBLE_BYTES:] if len(written) % 2 else content)
            written.append(place)
        elif path in RECORDED["files"]:
            place.write_text(RECORDED["files"][path])
        else:
            place.touch()
    for path, text in RECORDED["files"].items():
        place = root / path.removeprefix("/dicom/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return written


@pytest.fixture
def volume(tmp_path):
    directory = tmp_path / "dicom"
    directory.mkdir()
    assert len(write_volume(directory)) > len(SERIES)
    # as the original's user, root, had it: others may read
    for path in [directory, *directory.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    return directory


@pytest.fixture
def copies(tmp_path):
    directory = tmp_path / "copies"
    directory.mkdir()
    directory.chmod(0o777)
    return directory


def test_old_data_is_served_as_ever(volume, copies):
    before = {path: path.stat().st_mtime_ns for path in volume.rglob("*")}
    with running(options=("-v", f"{volume}:/dicom", "-v", f"{copies}:/Users", "--read-only")) as pfdcm:
        for uid, text in SERIES.items():
            directory = volume / json.loads(text)[uid].removeprefix("/dicom/")
            here = sorted(directory.glob("*.dcm"))
            status = pfdcm.on_series("retrieveStatus", uid)
            assert status["status"] is True, status
            assert status["retrieveStatus"]["numDCMfiles"] == len(here)
            tags = pfdcm.ask("internalDB", {"do": "DICOMtagsGet", "on": {"series_uid": uid}})
            assert tags["DICOMtagsGet"]["d_dicom"]["SeriesInstanceUID"] == uid, tags
            copy = pfdcm.ask("internalDB", {"do": "copy", "on": {"series_uid": uid}, "to": {"path": "/Users"}})
            assert copy["status"] is True, copy
            copied = sorted((copies / uid).glob("*.dcm"))
            assert [each.read_bytes() for each in copied] == [each.read_bytes() for each in here]
    assert {path: path.stat().st_mtime_ns for path in volume.rglob("*")} == before


def test_the_recorded_tags_are_found_in_old_data(volume):
    (uid,) = {
        step["request"]["body"]["payload"]["meta"]["on"]["series_uid"]
        for step in RECORDED["steps"]
        if step["id"] == "tags"
    }
    with running(options=("-v", f"{volume}:/dicom")) as pfdcm:
        assert pfdcm.ask("internalDB", {"do": "DICOMtagsGet", "on": {"series_uid": uid}}) == STEPS["tags"]


def test_new_images_are_filed_beside_old_ones_by_root_as_ever(volume):
    new = next(file for file in images() if str(pydicom.dcmread(file).SeriesInstanceUID) not in SERIES)
    uid = str(pydicom.dcmread(new).SeriesInstanceUID)
    with running("--startlistener", options=("-v", f"{volume}:/dicom", *ROOT)) as pfdcm:
        pfdcm.wait_for_listener()
        acknowledged, association = send(pfdcm.dicom_port, [new])
        association.release()
        assert len(acknowledged) == 1
        wait_until(lambda: pfdcm.on_series("retrieveStatus", uid)["status"], "it does not become complete")
        assert all(pfdcm.on_series("retrieveStatus", old)["status"] for old in SERIES)


def test_a_volume_that_may_only_be_read_is_told_when_the_listener_starts(volume):
    with running(options=("-v", f"{volume}:/dicom")) as pfdcm:
        reply = pfdcm.ask("xinetd", {"object": "service", "do": "everything"})
        assert reply["status"] is False
        assert "/dicom" in reply["msg"], reply
        assert "ermission denied" in reply["msg"], reply
