"""Matches as values: every key filled, in order, decoded; and the JSON that callers read."""

import pytest

from pfdcmd.pacs.age import age_at
from pfdcmd.pacs.keys import NO_VALUE, RETURN_KEYS
from pfdcmd.pacs.result import StudyMatch, read_attributes, study_json

PATIENT_NAME, PATIENT_ID, CHARACTER_SET = 0x00100010, 0x00100020, 0x00080005


def test_every_key_that_was_asked_for_is_filled():
    attributes = read_attributes([(PATIENT_ID, b"42 ")], RETURN_KEYS)
    assert set(attributes) == RETURN_KEYS
    assert attributes["PatientID"] == "42"
    assert attributes["PatientName"] == NO_VALUE


def test_keys_come_in_the_order_of_their_tags():
    attributes = read_attributes(
        [(PATIENT_ID, b"42"), (CHARACTER_SET, b"ISO_IR 100")], ["StudyDate", "SeriesInstanceUID"]
    )
    assert list(attributes) == ["SpecificCharacterSet", "StudyDate", "PatientID", "SeriesInstanceUID"]


@pytest.mark.parametrize(
    ("tag", "raw", "keyword", "value"),
    [
        (0x0020000D, b"1.2.3\0", "StudyInstanceUID", "1.2.3"),
        (PATIENT_ID, b"  ", "PatientID", NO_VALUE),
        (0x00080061, b"CT\\MR ", "ModalitiesInStudy", r"CT\MR"),
        (PATIENT_NAME, b"D\xe9sir\xe9e", "PatientName", "Désirée"),
        (0x00280010, b"\x00\x02\x01\x00", "Rows", r"512\1"),
        (0x00280010, b"\x00", "Rows", NO_VALUE),
        (0x00400275, b"anything", "RequestAttributesSequence", NO_VALUE),
        (0x00201209, b"abc ", "NumberOfSeriesRelatedInstances", "abc"),
    ],
)
def test_values_are_shown_as_text(tag, raw, keyword, value):
    assert read_attributes([(tag, raw)], [])[keyword] == value


def test_private_elements_are_left_out():
    assert read_attributes([(0x00091001, b"x")], []) == {}


@pytest.mark.parametrize(
    ("birth", "study", "age"),
    [
        ("19530903", "19950903", "042Y"),
        ("19530904", "19950903", "041Y"),
        ("1953.09.03", "19950903", "042Y"),
        ("20000101", "20000101", "000D"),
        ("20000101", "20000128", "027D"),
        ("20000101", "20000129", "004W"),
        ("20000101", "20000401", "003M"),
        ("20000115", "20011214", "022M"),
        ("20000115", "20020115", "002Y"),
        ("20000229", "20010228", "011M"),
        ("20000101", "19991231", None),
        ("", "20000101", None),
        (NO_VALUE, "20000101", None),
        ("20001301", "20010101", None),
        ("00010101", "20010101", None),
        (None, None, None),
    ],
)
def test_ages_are_of_completed_units(birth, study, age):
    assert age_at(birth, study) == age


def test_the_patients_age_is_computed_when_the_pacs_leaves_it_out():
    elements = [(0x00080020, b"19950903"), (0x00100030, b"19530903")]
    assert read_attributes(elements, RETURN_KEYS)["PatientAge"] == "042Y"
    assert read_attributes([*elements, (0x00101010, b"040Y")], RETURN_KEYS)["PatientAge"] == "040Y"


def test_a_study_as_callers_get_it():
    study = StudyMatch(index=2, attributes={"PatientID": "42"}, series=({"Modality": "CT"}, {"Modality": "MR"}))
    assert study_json(study, "findscu ...") == {
        "uid": {"tag": 0, "value": 2, "label": "uid"},
        "PatientID": {"tag": "0010,0020", "value": "42", "label": "PatientID"},
        "series": [
            {
                "uid": {"tag": 0, "value": index, "label": "uid"},
                "Modality": {"tag": "0008,0060", "value": modality, "label": "Modality"},
                "label": {"tag": 0, "value": "SERIES", "label": "RetrieveLevel"},
                "command": {"tag": 0, "value": "findscu ...", "label": "command"},
                "status": {"tag": 0, "value": "success", "label": "status"},
            }
            for index, modality in enumerate(["CT", "MR"])
        ],
    }
