"""Keys of a query at one level: any element, by any of its names, and what comes back of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pfdcmd.errors import ParameterFault
from pfdcmd.pacs.level import LevelQuery
from pfdcmd.pacs.levelkeys import KeyElement, element_tag, level_keys, read_match


def keys_of(level, **keys):
    return level_keys(LevelQuery(level, keys, 100))


def values(keys):
    return {element.tag: element.value for element in keys.elements}


@pytest.mark.parametrize(
    ("level", "unique"),
    [
        ("PATIENT", {0x00100020}),
        ("STUDY", {0x0020000D}),
        ("SERIES", {0x0020000D, 0x0020000E}),
        ("IMAGE", {0x0020000D, 0x0020000E, 0x00080018}),
    ],
)
def test_the_unique_keys_down_to_the_level_are_always_asked(level, unique):
    asked = values(keys_of(level))
    assert asked.pop(0x00080052) == level.encode()
    assert asked == dict.fromkeys(unique, b"")


@pytest.mark.parametrize(
    ("level", "keys", "is_relational"),
    [
        ("PATIENT", {}, False),
        ("STUDY", {}, False),
        ("SERIES", {}, True),
        ("SERIES", {"StudyInstanceUID": "1.2"}, False),
        ("IMAGE", {"StudyInstanceUID": "1.2"}, True),
        ("IMAGE", {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3"}, False),
    ],
)
def test_a_query_across_a_level_is_relational(level, keys, is_relational):
    assert keys_of(level, **keys).is_relational is is_relational


@pytest.mark.parametrize("name", ["PatientID", "0010,0020", "(0010,0020)", "00100020", "0010, 0020"])
def test_an_element_by_each_of_its_names(name):
    assert element_tag(name) == 0x00100020


def test_private_and_unknown_elements_go_through_as_text():
    keys = level_keys(LevelQuery("STUDY", {"0029,0010": "MAKER", "00291001": "x"}, 1))
    assert KeyElement(0x00290010, "UN", b"MAKER") in keys.elements
    assert KeyElement(0x00291001, "UN", b"x") in keys.elements


def test_numbers_go_as_their_representation_has_them():
    keys = keys_of("IMAGE", Rows="512", ReferencePixelX0="-2", FrameIncrementPointer="0018,1063")
    asked = values(keys)
    assert asked[0x00280010] == b"\x00\x02"
    assert asked[0x00186020] == b"\xfe\xff\xff\xff"
    assert asked[0x00280009] == b"\x18\x00\x63\x10"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PatientIDD", "", "did you mean PatientID"),
        ("no such", "", "not a DICOM keyword"),
        ("ReferencedStudySequence", "", "is a sequence"),
        ("PixelData", "", "holds bytes"),
        ("0002,0010", "", "no element of a data set"),
        ("0029,0000", "", "no element of a data set"),
        ("FFFF,0010", "", "no element of a data set"),
        ("QueryRetrieveLevel", "IMAGE", "set by pfdcm itself"),
        ("SpecificCharacterSet", "ISO_IR 100", "set by pfdcm itself"),
        ("PatientID", "a\nb", "control characters"),
        ("PatientID", "x" * 5000, "longer than"),
        ("Rows", "many", "must be a number"),
        ("Rows", "70000", "must be a number"),
        ("Rows", "-1", "must be a number"),
    ],
)
def test_a_key_that_cannot_be_used_says_why(name, value, said):
    with pytest.raises(ParameterFault, match=said):
        level_keys(LevelQuery("STUDY", {name: value}, 1))


def test_there_are_four_levels():
    with pytest.raises(ParameterFault, match="PATIENT, STUDY, SERIES, IMAGE"):
        keys_of("INSTANCE")


def test_too_many_keys():
    with pytest.raises(ParameterFault, match="at most 256 keys"):
        level_keys(LevelQuery("STUDY", {f"0029,{number:04x}": "" for number in range(1, 300)}, 1))


def test_what_is_not_ascii_is_declared():
    assert values(keys_of("STUDY", PatientName="Jérôme"))[0x00080005] == b"ISO_IR 192"
    assert 0x00080005 not in values(keys_of("STUDY", PatientName="Jerome"))


def test_a_match_has_what_was_asked_and_what_came():
    keys = keys_of("SERIES", PatientName="", Rows="", **{"0029,1001": ""})
    elements = [
        (0x00080005, b"ISO_IR 100"),
        (0x00080052, b"SERIES"),
        (0x00100010, b"Buc^J\xe9r\xf4me "),
        (0x0020000E, b"1.2.3\0"),
        (0x00280010, b"\x00\x02"),
        (0x00291001, b"\x00\x01\x02"),
        (0x0008103E, b"Unasked"),
        (0x00280009, b"\x18\x00\x63\x10"),
    ]
    assert read_match(elements, keys) == {
        "SeriesDescription": "Unasked",
        "PatientName": "Buc^Jérôme",
        "StudyInstanceUID": "",
        "SeriesInstanceUID": "1.2.3",
        "FrameIncrementPointer": "0018,1063",
        "Rows": "512",
        "00291001": "000102",
    }


@given(
    st.dictionaries(st.integers(0x00080001, 0xFFFEFFFF), st.binary(max_size=12), max_size=8),
    st.sampled_from(["PATIENT", "STUDY", "SERIES", "IMAGE"]),
)
def test_whatever_comes_is_read_as_text(elements, level):
    keys = keys_of(level)
    match = read_match(elements.items(), keys)
    assert set(keys.names.values()) <= match.keys()
    assert all(isinstance(value, str) for value in match.values())
