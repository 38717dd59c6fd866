"""What a PACS answered to a query, as values, and the JSON that callers get of it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag

from pfdcmd.pacs.age import age_at
from pfdcmd.pacs.keys import NO_VALUE, TEXT_VRS, tag_number, tag_text
from pfdcmd.pacs.text import decode_text, split_character_sets

CHARACTER_SET_TAG = 0x00080005
_CHARACTER_SET_VRS = frozenset(["LO", "LT", "PN", "SH", "ST", "UC", "UT"])
NUMBER_FORMATS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}
"""Value representations that hold binary numbers, as struct writes them."""

Attributes = Mapping[str, str]
"""One match: keyword -> value in ascending order of tags. A value that is absent or empty is NO_VALUE; several values
are joined by backslashes."""

Json = dict[str, Any]


@dataclass(frozen=True)
class StudyMatch:
    """One study that a query found, with its series, and its place among all studies that the PACS answered."""

    index: int
    attributes: Attributes
    series: tuple[Attributes, ...]


def read_attributes(elements: Iterable[tuple[int, bytes]], keywords: Iterable[str]) -> Attributes:
    """Read the identifier of a C-FIND response.

    Args:    elements: (tag, value as it came, little endian), any order; keywords: those to be filled in any case.
    Returns: every element of PS3.6 that came and every keyword asked for; private elements are left out.
    """
    raw = dict(elements)
    character_sets = split_character_sets(raw.get(CHARACTER_SET_TAG, b""))
    values = {tag_number(keyword): NO_VALUE for keyword in keywords}
    for tag, value in raw.items():
        if keyword_for_tag(tag):
            values[tag] = read_value(tag, value, character_sets) or NO_VALUE
    attributes = {keyword_for_tag(tag): values[tag] for tag in sorted(values)}
    if attributes.get("PatientAge") == NO_VALUE:
        attributes["PatientAge"] = age_at(attributes.get("PatientBirthDate"), attributes.get("StudyDate")) or NO_VALUE
    return attributes


def read_value(tag: int, value: bytes, character_sets: tuple[str, ...]) -> str:
    """One element's value as text, several joined by backslashes; "" for what is neither text nor numbers."""
    vr = dictionary_VR(tag) if dictionary_has_tag(tag) else "UT"
    if vr in _CHARACTER_SET_VRS:
        return decode_text(value, character_sets, is_name=vr == "PN").strip(" \0")
    if vr in TEXT_VRS:
        return decode_text(value, ()).strip(" \0")
    number = NUMBER_FORMATS.get(vr.split(" ")[0])
    if number is None:
        return ""
    size = struct.calcsize(number)
    count = len(value) // size
    return "\\".join(str(n) for n in struct.unpack(f"<{count}{number}", value[: count * size]))


def study_json(study: StudyMatch, series_command: str) -> Json:
    """A study as an item of `query.data`; series_command is shown with each of its series."""
    return {
        "uid": _fact("uid", study.index),
        **_attributes_json(study.attributes),
        "series": [_series_json(index, series, series_command) for index, series in enumerate(study.series)],
    }


def _series_json(index: int, series: Attributes, command: str) -> Json:
    return {
        "uid": _fact("uid", index),
        **_attributes_json(series),
        "label": _fact("RetrieveLevel", "SERIES"),
        "command": _fact("command", command),
        "status": _fact("status", "success"),
    }


def _attributes_json(attributes: Attributes) -> Json:
    return {
        keyword: {"tag": tag_text(keyword), "value": value, "label": keyword} for keyword, value in attributes.items()
    }


def _fact(label: str, value: str | int) -> Json:
    """What is no element has the same three keys, with the number 0 for its tag."""
    return {"tag": 0, "value": value, "label": label}
