"""Names in every script, as the real Orthanc answers them."""

from __future__ import annotations

import asyncio

import pydicom
import pytest
from orthanc import charset_files, running_orthanc

from pfdcmd.edge.pacs.net import PacsNet
from pfdcmd.pacs.peer import parse_peer
from pfdcmd.pacs.query import parse_query
from pfdcmd.settings import Settings

pytestmark = pytest.mark.acceptance

# Not chrH32: this Orthanc itself answers its kanji undecoded, as findscu shows (test_response_text.py has its bytes).
NAMES = {
    "chrArab": "قباني^لنزار",
    "chrFren": "Buc^Jérôme",
    "chrGerm": "Äneas^Rüdiger",
    "chrGreek": "Διονυσιος",
    "chrH31": "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "chrHbrw": "שרון^דבורה",
    "chrI2": "Hong^Gildong=洪^吉洞=홍^길동",
    "chrRuss": "Люкceмбypг",
    "chrX1": "Wang^XiaoDong=王^小東",
    "chrX2": "Wang^XiaoDong=王^小东",
}


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory):
    with running_orthanc(tmp_path_factory.mktemp("orthanc"), 104, DefaultEncoding="Utf8") as running:
        assert running.load(charset_files())
        yield running


def find(orthanc, on):
    async def run():
        return await PacsNet(Settings()).find(parse_peer(orthanc.entry), parse_query(on))

    return asyncio.run(run())


def study_of(name):
    (file,) = [file for file in charset_files() if file.stem == name]
    return str(pydicom.dcmread(file, specific_tags=["StudyInstanceUID"]).StudyInstanceUID)


@pytest.mark.parametrize(("file", "name"), NAMES.items())
def test_a_name_is_shown_as_it_is_written(orthanc, file, name):
    (study,) = find(orthanc, {"StudyInstanceUID": study_of(file)})
    assert study.attributes["PatientName"].rstrip("=") == name
    assert study.series[0]["PatientName"] == study.attributes["PatientName"]


@pytest.mark.parametrize("file", ["chrGreek", "chrRuss", "chrHbrw", "chrArab", "chrGerm"])
def test_a_patient_is_found_by_a_name_in_its_script(orthanc, file):
    found = find(orthanc, {"PatientName": NAMES[file]})
    assert [study.attributes["StudyInstanceUID"] for study in found] == [study_of(file)]


@pytest.mark.parametrize(("pattern", "file"), [("*太郎*", "chrH31"), ("*吉洞*", "chrI2"), ("*小东*", "chrX2")])
def test_a_patient_is_found_by_a_part_of_its_name(orthanc, pattern, file):
    assert study_of(file) in [study.attributes["StudyInstanceUID"] for study in find(orthanc, {"PatientName": pattern})]
