"""The keys of a query: which elements are asked back of every PACS, and which names a caller may match on."""

from __future__ import annotations

import difflib
import re

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

NO_VALUE = "no value provided"

# What the original asked of every PACS, and so what its callers expect to find filled.
RETURN_KEYS = frozenset(
    (
        "AccessionNumber",
        "AcquisitionProtocolDescription",
        "AcquisitionProtocolName",
        "InstanceNumber",
        "ModalitiesInStudy",
        "Modality",
        "NumberOfSeriesRelatedInstances",
        "PatientAge",
        "PatientBirthDate",
        "PatientID",
        "PatientName",
        "PatientSex",
        "PerformedStationAETitle",
        "ProtocolName",
        "QueryRetrieveLevel",
        "SeriesDate",
        "SeriesDescription",
        "SeriesInstanceUID",
        "StudyDate",
        "StudyDescription",
        "StudyInstanceUID",
    )
)

# Of those, what is an attribute of a series and of an instance: PS3.4 Tables C.6-4 and C.6-5, and the modules of PS3.3
# that they point to.
SERIES_KEYS = frozenset(
    (
        "Modality",
        "NumberOfSeriesRelatedInstances",
        "PerformedStationAETitle",
        "ProtocolName",
        "SeriesDate",
        "SeriesDescription",
        "SeriesInstanceUID",
    )
)
INSTANCE_KEYS = frozenset(("AcquisitionProtocolDescription", "AcquisitionProtocolName", "InstanceNumber"))

TEXT_VRS = frozenset(
    ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
)

# pfdcm sets the level and the character set of a request itself.
_OWN_KEYS = frozenset(("QueryRetrieveLevel", "SpecificCharacterSet"))
_TAG = re.compile(r"\(?([0-9a-fA-F]{4}),\s?([0-9a-fA-F]{4})\)?\Z")
_FIRST_DATA_SET_GROUP = 0x0008
_KEYWORD_MAX_LENGTH = 128


def query_keyword(name: str) -> str | None:
    """The keyword of an element that can be matched on or asked back as text; None when `name` is no such thing.

    Args: name: a keyword of PS3.6 ("PatientID") or a tag ("0010,0020", also in parentheses).
    """
    if len(name) > _KEYWORD_MAX_LENGTH:
        return None
    written_as_tag = _TAG.match(name)
    keyword = keyword_for_tag(int("".join(written_as_tag.groups()), 16)) if written_as_tag else name
    tag = tag_for_keyword(keyword) if keyword else None
    if tag is None or tag >> 16 < _FIRST_DATA_SET_GROUP or keyword in _OWN_KEYS:
        return None
    return keyword if dictionary_VR(tag) in TEXT_VRS else None


def resembling_keyword(name: str) -> str | None:
    """The keyword that `name` may have been meant for, of those that are usual in a query."""
    by_lower_case = {keyword.lower(): keyword for keyword in RETURN_KEYS}
    found = difflib.get_close_matches(name.lower()[:_KEYWORD_MAX_LENGTH], by_lower_case, n=1)
    return by_lower_case[found[0]] if found else None


def tag_text(keyword: str) -> str:
    """A keyword's tag as replies show it: "0008,103e". Precondition: it is a keyword of PS3.6."""
    tag = tag_number(keyword)
    return f"{tag >> 16:04x},{tag & 0xFFFF:04x}"


def tag_number(keyword: str) -> int:
    """A keyword's tag as one number, group in the upper half. Raises: KeyError: it is no keyword of PS3.6."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return tag
