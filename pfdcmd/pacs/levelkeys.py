"""The keys of a C-FIND at one level, any element of PS3.6 or none of it: what callers name <-> tags and values.

Source: DICOM PS3.4 section C.4.1 and Tables C.6-1 to C.6-5, PS3.5 section 6.2.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from pfdcmd.errors import ParameterFault
from pfdcmd.pacs.keys import TEXT_VRS, resembling_keyword
from pfdcmd.pacs.level import LEVELS, LevelQuery
from pfdcmd.pacs.query import UTF8_CHARACTER_SET, parse_matching_value
from pfdcmd.pacs.result import CHARACTER_SET_TAG, NUMBER_FORMATS, read_value
from pfdcmd.pacs.text import split_character_sets

UNKNOWN = "UN"
"""The value representation of an element that PS3.6 does not have; its value goes through as text."""

_LEVEL_TAG = 0x00080052
# Each level's unique key, from the top: PS3.4 section C.6.
_UNIQUE_KEYS = {"PATIENT": 0x00100020, "STUDY": 0x0020000D, "SERIES": 0x0020000E, "IMAGE": 0x00080018}
_TAG = re.compile(r"\(?([0-9a-fA-F]{4}),?\s?([0-9a-fA-F]{4})\)?\Z")
_MAX_KEYS = 256
_FIRST_DATA_SET_GROUP = 0x0008
# PS3.5 section 7.1: odd groups below 0009 and FFFF do not exist.
_LAST_GROUP = 0xFFFE


@dataclass(frozen=True)
class KeyElement:
    """One element of a C-FIND identifier; value as it goes on the wire, b"" to ask it back."""

    tag: int
    vr: str
    value: bytes


@dataclass(frozen=True)
class LevelKeys:
    """An identifier in ascending order of tags. names: what the caller called each element that is to be filled."""

    elements: tuple[KeyElement, ...]
    names: Mapping[int, str]
    is_relational: bool
    """Whether a unique key of a level above has no value: an extension that a PACS need not have (C.4.1.2.1)."""


def level_keys(query: LevelQuery) -> LevelKeys:
    """Make the identifier of a query. The unique keys of its level and those above are always asked back.

    Raises: ParameterFault: there is no such level; a name is no element, or is of one that cannot be matched; a value
            cannot be sent.
    """
    if query.level not in LEVELS:
        raise ParameterFault(f"level must be one of {', '.join(LEVELS)}.")
    if len(query.keys) > _MAX_KEYS:
        raise ParameterFault(f"A query has at most {_MAX_KEYS} keys.")
    values = dict.fromkeys(_unique_keys(query.level), b"")
    names: dict[int, str] = {tag: keyword_for_tag(tag) for tag in values}
    is_ascii = True
    for name, value in query.keys.items():
        tag = element_tag(name)
        if tag in (CHARACTER_SET_TAG, _LEVEL_TAG):
            raise ParameterFault(f"{keyword_for_tag(tag)} is set by pfdcm itself.")
        values[tag] = _encode(name, _vr(tag), value)
        names[tag] = keyword_for_tag(tag) or f"{tag:08x}"
        is_ascii &= value.isascii()
    above = _unique_keys(query.level)[:-1]
    is_relational = any(not values[tag] for tag in above)
    values[_LEVEL_TAG] = query.level.encode()
    if not is_ascii:
        values[CHARACTER_SET_TAG] = UTF8_CHARACTER_SET.encode()
    elements = tuple(KeyElement(tag, _vr(tag), values[tag]) for tag in sorted(values))
    return LevelKeys(elements, names, is_relational)


def element_tag(name: str) -> int:
    """The tag of an element as callers name it: a keyword, "gggg,eeee", or eight hexadecimal digits.

    Raises: ParameterFault: it is none, or of an element that no query may hold.
    """
    written_as_tag = _TAG.match(name)
    tag = int("".join(written_as_tag.groups()), 16) if written_as_tag else tag_for_keyword(name)
    if tag is None:
        meant = resembling_keyword(name)
        hint = f"did you mean {meant}?" if meant else "wanted is a keyword of PS3.6, or gggg,eeee."
        raise ParameterFault(f"{name[:64]!a} is not a DICOM keyword: {hint}")
    group, number = tag >> 16, tag & 0xFFFF
    if not _FIRST_DATA_SET_GROUP <= group <= _LAST_GROUP or number == 0:
        raise ParameterFault(f"{name[:64]!a} is no element of a data set.")
    vr = _vr(tag)
    if vr == "SQ":
        raise ParameterFault(f"{name[:64]!a} is a sequence: sequences cannot be matched or asked back.")
    if vr != UNKNOWN and vr not in TEXT_VRS and vr not in NUMBER_FORMATS and vr != "AT":
        raise ParameterFault(f"{name[:64]!a} holds bytes ({vr}): it cannot be matched or asked back.")
    return tag


def read_match(elements: Iterable[tuple[int, bytes]], keys: LevelKeys) -> dict[str, str]:
    """Read one match: every element that was asked, "" when absent or empty, and every other that came as text.

    Args:    elements: (tag, value as it came, little endian).
    Returns: in ascending order of tags; keyword, or eight digits for what PS3.6 does not have -> text.
    """
    raw = dict(elements)
    character_sets = split_character_sets(raw.get(CHARACTER_SET_TAG, b""))
    found = {}
    for tag in sorted(raw.keys() | keys.names.keys()):
        text = _decode(tag, raw.get(tag, b""), character_sets)
        if tag in keys.names:
            found[keys.names[tag]] = text
        elif text and tag not in (CHARACTER_SET_TAG, _LEVEL_TAG):
            found[keyword_for_tag(tag) or f"{tag:08x}"] = text
    return found


def _unique_keys(level: str) -> list[int]:
    """The unique keys down to a level; at PATIENT in the Patient Root model, at the others in the Study Root."""
    if level == "PATIENT":
        return [_UNIQUE_KEYS["PATIENT"]]
    return [_UNIQUE_KEYS[each] for each in LEVELS[1 : LEVELS.index(level) + 1]]


def _vr(tag: int) -> str:
    try:
        return dictionary_VR(tag).split(" ")[0]
    except KeyError:  # private, or newer than pydicom's dictionary
        return UNKNOWN


def _encode(name: str, vr: str, value: str) -> bytes:
    text = parse_matching_value(name[:64], value)
    if not text or vr in TEXT_VRS or vr == UNKNOWN:
        return text.encode("utf-8")
    try:
        if vr == "AT":
            tags = (int(item.replace(",", ""), 16) for item in text.split("\\"))
            return b"".join(struct.pack("<HH", *divmod(tag, 0x10000)) for tag in tags)
        number = float if vr in ("FL", "FD") else int
        return b"".join(struct.pack(f"<{NUMBER_FORMATS[vr]}", number(item)) for item in text.split("\\"))
    except (ValueError, OverflowError, struct.error) as error:
        raise ParameterFault(f"The value of {name[:64]} must be a number that {vr} can hold.") from error


def _decode(tag: int, value: bytes, character_sets: tuple[str, ...]) -> str:
    vr = _vr(tag)
    if vr == "AT":
        pairs = struct.iter_unpack("<HH", value[: len(value) // 4 * 4])
        return "\\".join(f"{group:04x},{number:04x}" for group, number in pairs)
    text = read_value(tag, value, character_sets)
    # An element that PS3.6 does not have may hold anything; what is no text is shown as what it is, bytes.
    return text if text.isprintable() or vr != UNKNOWN else value.hex()
