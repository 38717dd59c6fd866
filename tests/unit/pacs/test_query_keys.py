"""Queries as values: what of a caller's keys is matched, and what each level's request holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfdcmd.errors import ParameterFault
from pfdcmd.pacs.keys import RETURN_KEYS, query_keyword, tag_text
from pfdcmd.pacs.query import parse_query, without_lower_levels


@pytest.mark.parametrize(
    ("name", "keyword"),
    [
        ("PatientID", "PatientID"),
        ("0010,0020", "PatientID"),
        ("(0010,0020)", "PatientID"),
        ("0008,103E", "SeriesDescription"),
        ("InstitutionName", "InstitutionName"),
        ("NoSuchKeyword", None),
        ("patientid", None),
        ("", None),
        ("0009,0001", None),
        ("PixelData", None),
        ("Rows", None),
        ("RequestAttributesSequence", None),
        ("TransferSyntaxUID", None),
        ("MessageID", None),
        ("QueryRetrieveLevel", None),
        ("SpecificCharacterSet", None),
        ("x" * 10_000, None),
        ("0010,0020; rm", None),
    ],
)
def test_only_dicom_keywords_and_tags_of_text_elements_are_keys(name, keyword):
    assert query_keyword(name) == keyword


def test_tags_are_written_as_in_the_recorded_replies():
    assert tag_text("SeriesDescription") == "0008,103e"
    assert tag_text("StudyInstanceUID") == "0020,000d"


def test_unknown_keys_are_ignored_and_known_ones_outside_the_table_are_matched():
    query = parse_query({"PatientID": "1", "NoSuchKeyword": "x", "retrieve": True, "ReferringPhysicianName": "Doe*"})
    assert query.matching == {"PatientID": "1", "ReferringPhysicianName": "Doe*"}
    assert query.keywords == RETURN_KEYS | {"ReferringPhysicianName"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("98890234", "98890234"),
        (98890234, "98890234"),
        (None, ""),
        ("", ""),
        (" 1 ", "1"),
        (["1.2", "1.3"], r"1.2\1.3"),
    ],
)
def test_a_value_is_text_a_number_or_a_list(value, text):
    assert parse_query({"PatientID": value}).matching["PatientID"] == text


@pytest.mark.parametrize("value", [{}, True, [{}], "a\nb", "a\x1b[31m", "a\0", "\ud800", "x" * 4097, ["x" * 4096, "y"]])
def test_values_that_cannot_be_sent_are_refused_by_key_and_not_repeated(value):
    with pytest.raises(ParameterFault, match="PatientName") as fault:
        parse_query({"PatientName": value})
    assert "xxx" not in fault.value.message


def test_each_level_has_every_key_in_alphabetical_order():
    query = parse_query({"PatientID": "1"})
    study = query.study_keys()
    assert list(study) == sorted(RETURN_KEYS)
    assert study["QueryRetrieveLevel"] == "STUDY"
    assert study["PatientID"] == "1"
    series = query.series_keys("1.2.3")
    assert series["QueryRetrieveLevel"] == "SERIES"
    assert (series["StudyInstanceUID"], series["PatientID"]) == ("1.2.3", "1")


def test_the_callers_keys_cannot_set_the_level():
    assert parse_query({"QueryRetrieveLevel": "IMAGE"}).study_keys()["QueryRetrieveLevel"] == "STUDY"


def test_only_text_beyond_ascii_needs_a_character_set():
    assert "SpecificCharacterSet" not in parse_query({"PatientName": "Doe*"}).study_keys()
    assert parse_query({"PatientName": "Διονυσιος"}).study_keys()["SpecificCharacterSet"] == "ISO_IR 192"


def test_a_series_without_its_study_has_to_be_looked_up():
    assert parse_query({"SeriesInstanceUID": "1.2"}).names_series_only
    assert not parse_query({"SeriesInstanceUID": "1.2", "StudyInstanceUID": "1"}).names_series_only
    assert not parse_query({"SeriesInstanceUID": ""}).names_series_only
    assert not parse_query({"SeriesInstanceUID": "1.2"}).narrows_studies
    assert parse_query({"SeriesInstanceUID": "1.2", "PatientID": "1"}).narrows_studies


@given(
    st.dictionaries(st.text(max_size=20), st.none() | st.booleans() | st.text() | st.lists(st.integers()), max_size=5)
)
def test_any_keys_give_a_query_or_a_fault(on):
    try:
        keys = parse_query(on).study_keys()
    except ParameterFault:
        return
    assert all(isinstance(value, str) for value in keys.values())


def test_a_strict_peer_is_asked_no_key_below_the_level() -> None:
    query = parse_query({"Modality": "CT", "PatientID": "1"})

    study = without_lower_levels(query.study_keys())
    series = without_lower_levels(query.series_keys("1.2"))

    assert study["PatientID"] == "1"
    assert {"QueryRetrieveLevel", "StudyInstanceUID", "StudyDate"} <= study.keys()
    assert not {"Modality", "SeriesInstanceUID", "SeriesDescription", "InstanceNumber"} & study.keys()
    assert (series["StudyInstanceUID"], series["Modality"]) == ("1.2", "CT")
    assert "InstanceNumber" not in series


def test_a_mistyped_keyword_alone_does_not_ask_for_everything() -> None:
    with pytest.raises(ParameterFault, match="'PatientId' is not a DICOM keyword: did you mean PatientID"):
        parse_query({"PatientId": "1", "retrieve": True})
    assert parse_query({"PatientID": "1", "NoSuchKeyword": "x"}).matching == {"PatientID": "1"}
    assert parse_query({"reportTags": "{}", "retrieve": True}).matching == {}
    assert parse_query({}).matching == {}
