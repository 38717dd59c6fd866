"""The action internalDB against the original's recorded replies, with files as a fake."""

import asyncio
import json
from datetime import datetime
from pathlib import Path

import pytest

from pfdcmd.actions.context import Context, SeriesFiles
from pfdcmd.actions.internaldb import internaldb
from pfdcmd.errors import ParameterFault, SeriesNotFound, StorageFault
from pfdcmd.settings import Settings
from pfdcmd.tree.store import Tree

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "pacs.json").read_text())
STEPS = {step["id"]: step for step in GOLDEN["steps"]}
DAEMON = json.loads((Path(__file__).parents[2] / "golden" / "daemon.json").read_text())
DAEMON_STEPS = {step["id"]: step for scenario in DAEMON["scenarios"] for step in scenario["steps"]}
UID = "1.3.6.1.4.1.5962.1.1.0.0.0.1196533885.18148.0.118"
DIRECTORY = STEPS["status-after"]["reply"]["retrieveStatus"]["DICOMdir"]
NOW = datetime(2026, 11, 22, 11, 41, 42, 305335)


class FakeFiles:
    def __init__(self):
        self.copies = []
        self.fault = None

    async def series(self, series_map_dir, series_uid):
        return (
            SeriesFiles(DIRECTORY, 7, True) if (series_map_dir, series_uid) == ("/dicom/log/series_map", UID) else None
        )

    async def tags(self, directory):
        if self.fault:
            raise self.fault
        return {"Modality": "MR", "ScanOptions": "['FC', 'SP']"}

    async def copy_tree(self, source, target):
        if self.fault:
            raise self.fault
        if target in self.copies:
            return False
        self.copies.append(target)
        return True


@pytest.fixture
def context():
    tree = Tree({"xinetd": {"series_mapDir": "/dicom/log/series_map"}})
    return Context(Settings(), tree, None, None, FakeFiles(), None, {}, lambda: NOW, None, None, None, None, None)


def call(context, meta):
    return asyncio.run(internaldb(meta, context))


def recorded(step):
    return STEPS[step]["request"]["body"]["payload"]["meta"], STEPS[step]["reply"]


def test_copy_and_copy_again_reply_as_recorded(context):
    for step in ("copy", "copy-exists"):
        meta, expected = recorded(step)
        reply = call(context, meta)
        assert len(reply["copy"].pop("timestamp")) == len(expected["copy"].pop("timestamp"))
        assert reply == expected
    assert context.files.copies == [f"/tmp/gold-copy/{UID}"]


def test_timestamp_is_in_the_recorded_form(context):
    assert call(context, recorded("copy")[0])["copy"]["timestamp"] == "20261122114142.305335"


def test_tags_are_what_the_files_say(context):
    meta, expected = recorded("tags")
    reply = call(context, meta)
    assert reply == {
        "status": True,
        "DICOMtagsGet": {"status": True, "d_dicom": {"Modality": "MR", "ScanOptions": "['FC', 'SP']"}},
    }
    assert reply.keys() == expected.keys()


def test_a_series_that_is_not_here(context):
    on = {"series_uid": "1.2.3"}
    assert call(context, {"do": "DICOMtagsGet", "on": on}) == DAEMON_STEPS["internalDB-tags-missing"]["reply"]
    with pytest.raises(SeriesNotFound, match=r"^Series map file /dicom/log/series_map/1\.2\.3\.json not found$"):
        call(context, {"do": "copy", "on": on, "to": {"path": "/tmp"}})


def test_a_do_that_is_unknown_or_missing_is_answered_as_recorded(context):
    assert call(context, {"do": "zap", "on": {}}) == DAEMON_STEPS["internalDB-unknown"]["reply"]
    with pytest.raises(ParameterFault) as caught:
        call(context, {"on": {}})
    assert caught.value.message == DAEMON_STEPS["internalDB-no-do"]["reply"]["msg"]


def test_a_copy_that_fails_says_why(context):
    context.files.fault = StorageFault("/x cannot be made: Permission denied.")
    reply = call(context, recorded("copy")[0])
    assert reply["status"] is False
    assert reply["copy"]["msg"].startswith("Failed: Copying ")
    assert reply["copy"]["msg"].endswith("... /x cannot be made: Permission denied.")


def test_an_image_that_cannot_be_read(context):
    context.files.fault = StorageFault("The image cannot be read.")
    assert call(context, recorded("tags")[0])["DICOMtagsGet"] == {
        "status": False,
        "d_dicom": {},
        "msg": "The image cannot be read.",
    }


@pytest.mark.parametrize("uid", ["../..", "1/../2", "", None, 7, "1.2\n", "/etc/passwd", ["1"], "1" * 65])
def test_only_a_uid_names_a_series(context, uid):
    for do in ("DICOMtagsGet", "copy"):
        with pytest.raises(ParameterFault, match="series_uid"):
            call(context, {"do": do, "on": {"series_uid": uid}, "to": {"path": "/tmp"}})


@pytest.mark.parametrize("path", ["relative", "", None, 7, "../..", "/a\0b"])
def test_a_copy_goes_to_an_absolute_path(context, path):
    with pytest.raises(ParameterFault, match="absolute"):
        call(context, {"do": "copy", "on": {"series_uid": UID}, "to": {"path": path}})


@pytest.mark.parametrize("meta", [{}, {"do": "copy"}, {"do": "copy", "on": "x"}, {"do": ["copy"], "on": {}}])
def test_a_call_that_says_too_little_is_refused(context, meta):
    with pytest.raises(ParameterFault):
        call(context, meta)
