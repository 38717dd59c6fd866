"""Identifiers of C-FIND and C-MOVE: keys <-> pydicom data sets, byte for byte and without pydicom's judgement of them.

What callers and PACSs send is often not quite valid. pydicom would warn of it, convert it or refuse it; here the bytes
of a value go through as they are. Implicit VR little endian only: every PACS has it (PS3.5 section 10.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pydicom.charset import convert_encodings, default_encoding
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from pfdcmd.pacs.keys import tag_number
from pfdcmd.pacs.levelkeys import KeyElement
from pfdcmd.pacs.result import CHARACTER_SET_TAG


def encode_identifier(keys: Mapping[str, str]) -> Dataset:
    """The data set of a request: keyword -> text, in UTF-8 (ASCII unless SpecificCharacterSet says ISO_IR 192)."""
    tags = {tag_number(keyword): value.encode("utf-8") for keyword, value in keys.items()}
    return encode_elements(KeyElement(tag, dictionary_VR(tag), value) for tag, value in tags.items())


def encode_elements(elements: Iterable[KeyElement]) -> Dataset:
    """The data set of a request, of values as they are to be on the wire but for their padding."""
    identifier = Dataset()
    character_set: str | list[str] = default_encoding
    for element in elements:
        tag, raw = Tag(element.tag), element.value
        if len(raw) % 2:
            raw += b"\0" if element.vr == "UI" else b" "  # PS3.5 section 6.2
        identifier[tag] = RawDataElement(tag, element.vr, len(raw), raw, 0, True, True)
        if element.tag == CHARACTER_SET_TAG:
            character_set = convert_encodings(element.value.decode("ascii"))
    # Declared to be in its final encoding already, so that pydicom writes the values as they are.
    identifier.set_original_encoding(True, True, character_set)
    return identifier


def decode_identifier(identifier: Dataset) -> Iterator[tuple[int, bytes]]:
    """The elements of a response as (tag, value as it came); sequences and empty elements are left out."""
    for tag in identifier.keys():  # noqa: SIM118 - a Dataset iterates over converted elements, not keys
        element = identifier.get_item(tag)
        if isinstance(element, RawDataElement) and element.value:
            yield int(tag), element.value
        elif element.VR == "CS":  # the character set, which reading has converted already
            yield int(tag), str(element.value or "").encode("latin-1", "replace")
