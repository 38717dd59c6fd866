"""Names and texts, against what the original left on disk."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from listener import naming
from listener.elements import Elements

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "pacs.json").read_text(encoding="utf-8"))

HEAD = Elements(
    sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    sop_instance_uid="1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.93",
    study_date="19950903",
    series_date="19950903",
    study_description="CT, HEAD/BRAIN WO CONTRAST",
    series_description="Routine Brain",
    patient_name="Doe^Archibald",
    patient_id="77654033",
    study_uid="1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.1",
    series_uid="1.3.6.1.4.1.5962.1.1.0.0.0.1196530851.28319.0.2",
    instance_number="18",
)
SPINE = Elements(
    sop_class_uid="1.2.840.10008.5.1.4.1.1.1",
    sop_instance_uid="1.3.6.1.4.1.5962.1.1.0.0.0.1196527414.5534.0.7",
    study_date="20010101",
    series_date=None,
    study_description="XR C Spine Comp Min 4 Views",
    series_description="Cervical OBLI 1",
    patient_name="Doe^Archibald",
    patient_id="77654033",
    study_uid="1.3.6.1.4.1.5962.1.1.0.0.0.1196527414.5534.0.1",
    series_uid="1.3.6.1.4.1.5962.1.1.0.0.0.1196527414.5534.0.6",
    instance_number="1",
)


@pytest.mark.parametrize("elements", [HEAD, SPINE], ids=["head", "spine"])
def test_names_and_texts_are_the_originals(elements):
    place = naming.place(elements)
    patient = f"/dicom/data/{place.patient_dir}"
    study = f"{patient}/{place.study_dir}"
    series = f"{study}/{place.series_dir}"
    assert f"{series}/{place.file_name}" in GOLDEN["tree"]
    files = GOLDEN["files"]
    assert files[f"{patient}/patient.info"] == naming.patient_info(elements, patient).text
    assert files[f"{study}/study.info"] == naming.study_info(elements, study).text
    assert files[f"{series}/series.info"] == naming.series_info(elements, series).text
    for kind, uid, location in (
        ("patient", elements.patient_id, patient),
        ("study", elements.study_uid, study),
        ("series", elements.series_uid, series),
    ):
        entry = naming.map_file(uid, location)
        assert files[f"/dicom/log/{kind}_map/{entry.name}"] == entry.text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (" Doe^Peter ", "Doe.Peter"),
        ("../../etc", "......etc"),
        ("..", ".."),
        ("", "no.value.provided"),
        (None, "no.value.provided"),
        ("a/b\\c\0d\ne", "a.b.c.d.e"),
        ("Müller 山田", "Müller.山田"),
    ],
)
def test_san(value, expected):
    assert naming.san(value) == expected


@pytest.mark.parametrize(
    ("number", "name"),
    [("7", "00007-1.2.dcm"), (" 123456 ", "123456-1.2.dcm"), ("-3", "000.3-1.2.dcm"),
     (None, "no.value.provided-1.2.dcm"), ("", "no.value.provided-1.2.dcm"),
     ("1a", "0001a-1.2.dcm"), ("+4", "00004-1.2.dcm")],
)  # fmt: skip
def test_file_names(number, name):
    assert naming.place(_with(instance_number=number, sop_instance_uid="1.2")).file_name == name


def test_absent_and_empty_differ_in_info_files_only():
    assert "seriesdate = no value provided\n" in naming.series_info(_with(series_date=None), "/x").text
    assert "seriesdate = no.value.provided\n" in naming.series_info(_with(series_date=""), "/x").text
    assert naming.place(_with(series_date=None)).series_dir == naming.place(_with(series_date="")).series_dir


def test_long_descriptions_are_cut_and_uids_are_not():
    first = naming.place(_with(series_description="山" * 64, series_uid="1." + "2" * 62))
    second = naming.place(_with(series_description="山" * 64, series_uid="1." + "2" * 61 + "3"))
    assert first.series_dir.endswith("-1." + "2" * 62)
    assert first.series_dir != second.series_dir
    longer = naming.place(_with(series_description="山" * 65, series_uid="1." + "2" * 62))
    assert longer.series_dir != first.series_dir


TEXT = st.none() | st.text(max_size=400)


@given(st.builds(Elements, *(TEXT for _ in range(11))))
def test_no_text_makes_a_component_that_leads_elsewhere(elements):
    place = naming.place(elements)
    maps = [naming.map_file(each, "/x").name for each in (elements.patient_id, elements.study_uid)]
    for component in (place.patient_dir, place.study_dir, place.series_dir, place.file_name, *maps):
        assert component not in ("", ".", "..")
        assert "/" not in component
        assert "\0" not in component
        assert len(component.encode("utf-8", "replace")) <= 255
    json.loads(naming.map_file(elements.patient_id, "/x").text)


def test_a_conflicting_copy_is_not_taken_for_an_image():
    assert naming.conflicting_name("00001-1.2.dcm", "ab" * 32) == "00001-1.2.dcm.differs-abababababababab"


def _with(**changed):
    return Elements(**{**vars(HEAD), **changed})
