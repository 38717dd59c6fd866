"""Reports: the layouts that callers split, whatever a PACS puts into a value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfdcmd.errors import ParameterFault
from pfdcmd.pacs.keys import NO_VALUE
from pfdcmd.pacs.layout import boxed, display_width, plain, printable
from pfdcmd.pacs.report import make_report
from pfdcmd.pacs.reporttags import ReportTags, parse_report_tags
from pfdcmd.pacs.result import StudyMatch

SERIES = ({"SeriesInstanceUID": "1.1", "SeriesDescription": "Scout", "Modality": "CT"}, {"SeriesInstanceUID": "1.2"})
STUDY = StudyMatch(index=0, attributes={"PatientName": "Doe^Peter", "StudyInstanceUID": "1"}, series=SERIES)


def test_the_header_is_of_the_study_and_its_first_series():
    (report,) = make_report([STUDY], ReportTags())["json"]
    assert report["header"]["PatientName"] == "Doe^Peter"
    assert report["header"]["Modality"] == "CT"
    assert report["header"]["PatientSex"] == NO_VALUE
    assert report["body"] == [{"SeriesDescription": "Scout"}, {"SeriesDescription": NO_VALUE}]
    assert report["bodySeriesUID"] == [{"SeriesInstanceUID": "1.1"}, {"SeriesInstanceUID": "1.2"}]


def test_only_the_json_tells_how_each_retrieve_went():
    plain_report = make_report([STUDY], ReportTags())
    report = make_report([STUDY], ReportTags(), {"1.1": True, "1.2": False})
    assert [one["PACS_Retrieve"] for one in report["json"][0]["body"]] == [" [ OK ] ", " [ FAILED ] "]
    assert (report["tabular"], report["rawText"]) == (plain_report["tabular"], plain_report["rawText"])


def test_a_plain_row_is_one_line_of_two_columns():
    assert plain([("Modality", "CT")]) == " " * 22 + "Modality" + " " * 48 + "CT\x1b[0m\n"


HOSTILE = [
    "a\nb\r\nc",
    "\x1b[2J\x1b]0;title\x07",
    "a\u2028b\u2029c\x85d\x0be",
    "\u202etxt.exe",
    "x" * 500,
    "山田" * 60,
    "e\u0301" * 70,
]


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_adds_a_line_to_plain_text(value):
    text = plain([("SeriesDescription", value), ("Modality", "CT")])
    assert len(text.splitlines()) == 2
    assert text.count("\x1b") == 2


@pytest.mark.parametrize("value", [*HOSTILE, "", "CT"])
def test_every_line_of_a_box_is_as_wide_as_the_others(value):
    lines = boxed([("SeriesDescription", value)]).splitlines()
    bare = [line.replace("\x1b(0", "").replace("\x1b(B", "").replace("\x1b[0m", "") for line in lines]
    assert {display_width(line) for line in bare[1:-1]} == {display_width(bare[0])}
    assert "\x1b" not in "".join(bare)


def test_a_long_value_is_whole_in_both_layouts():
    value = "".join(chr(ord("a") + index % 26) for index in range(120))
    assert value in plain([("SeriesDescription", value)])
    rows = boxed([("SeriesDescription", value)]).splitlines()[1:-1]
    assert "".join(row.split("\x1b(B ")[2].split("\x1b[0m")[0].strip() for row in rows) == value


@given(st.lists(st.tuples(st.text(max_size=40), st.text(max_size=120)), max_size=5))
def test_text_of_any_kind_keeps_one_line_to_a_row(rows):
    assert len(plain(rows).splitlines()) == len(rows)


def test_what_is_printable_stays():
    assert printable("Yamada^Tarou=山田^太郎 é e\u0301") == "Yamada^Tarou=山田^太郎 é e\u0301"


TAGS = {"header": {"study": ["PatientName"], "series": ["Modality"]}, "body": {"series": ["SeriesInstanceUID"]}}


@pytest.mark.parametrize("value", [TAGS, json.dumps(TAGS)])
def test_report_tags_as_dictionary_or_json(value):
    assert parse_report_tags(value) == ReportTags(("PatientName",), ("Modality",), ("SeriesInstanceUID",))


@pytest.mark.parametrize("value", [None, "", {}, "{}", {"header": {}}])
def test_parts_that_are_left_out_are_the_defaults(value):
    assert parse_report_tags(value) == ReportTags()


@pytest.mark.parametrize(
    "value",
    [
        "{",
        "[]",
        "null",
        3,
        [],
        {"header": []},
        {"header": {"study": "PatientName"}},
        {"header": {"study": [1]}},
        {"body": {"series": ["NoSuchKeyword"]}},
        {"body": {"series": ["PixelData"]}},
        {"body": {"series": ["Modality"] * 257}},
        "[" * 60_000,
        '"' + "x" * 70_000 + '"',
    ],
)
def test_bad_report_tags_are_a_fault_that_names_them(value):
    with pytest.raises(ParameterFault, match="reportTags"):
        parse_report_tags(value)
