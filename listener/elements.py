"""The elements that filing goes by, as text. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pydicom import charset

SPECIFIC_CHARACTER_SET = 0x00080005
SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
STUDY_DATE = 0x00080020
SERIES_DATE = 0x00080021
STUDY_DESCRIPTION = 0x00081030
SERIES_DESCRIPTION = 0x0008103E
PATIENT_NAME = 0x00100010
PATIENT_ID = 0x00100020
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
INSTANCE_NUMBER = 0x00200013

WANTED = frozenset(
    {
        SPECIFIC_CHARACTER_SET,
        SOP_CLASS_UID,
        SOP_INSTANCE_UID,
        STUDY_DATE,
        SERIES_DATE,
        STUDY_DESCRIPTION,
        SERIES_DESCRIPTION,
        PATIENT_NAME,
        PATIENT_ID,
        STUDY_INSTANCE_UID,
        SERIES_INSTANCE_UID,
        INSTANCE_NUMBER,
    }
)
LAST_WANTED = max(WANTED)
_ESCAPE = b"\x1b"
_DEFAULT_ENCODING = "iso8859"
# Characters that reset code extensions to the first character set, PS3.5 section 6.1.2.5.3.
_PERSON_NAME_DELIMITERS = frozenset(b"^=\\")
_TEXT_DELIMITERS = frozenset(b"\r\n\t\f\\")
# pydicom warns of what it mends, which is an error where warnings are errors.
_UNDECODABLE = (ValueError, LookupError, UserWarning)


@dataclass(frozen=True)
class Elements:
    """What an image says of itself; None when the element is absent, "" when it is empty."""

    sop_class_uid: str | None
    sop_instance_uid: str | None
    study_date: str | None
    series_date: str | None
    study_description: str | None
    series_description: str | None
    patient_name: str | None
    patient_id: str | None
    study_uid: str | None
    series_uid: str | None
    instance_number: str | None


def decode_elements(values: Mapping[int, bytes]) -> Elements:
    """Text from the raw values, by the data set's own SpecificCharacterSet.

    Never raises: what cannot be decoded becomes replacement characters. Source: PS3.5 sections 6.1 and 6.2.
    """
    encodings = _encodings(values.get(SPECIFIC_CHARACTER_SET, b""))

    def plain(tag: int) -> str | None:
        value = values.get(tag)
        return None if value is None else value.decode("ascii", "replace").strip(" \0")

    def text(tag: int, delimiters: frozenset[int]) -> str | None:
        value = values.get(tag)
        return None if value is None else _decode(value.rstrip(b"\0 "), encodings, delimiters)

    return Elements(
        sop_class_uid=plain(SOP_CLASS_UID),
        sop_instance_uid=plain(SOP_INSTANCE_UID),
        study_date=plain(STUDY_DATE),
        series_date=plain(SERIES_DATE),
        study_description=text(STUDY_DESCRIPTION, _TEXT_DELIMITERS),
        series_description=text(SERIES_DESCRIPTION, _TEXT_DELIMITERS),
        patient_name=_without_empty_groups(text(PATIENT_NAME, _PERSON_NAME_DELIMITERS)),
        patient_id=text(PATIENT_ID, _TEXT_DELIMITERS),
        study_uid=plain(STUDY_INSTANCE_UID),
        series_uid=plain(SERIES_INSTANCE_UID),
        instance_number=plain(INSTANCE_NUMBER),
    )


def _without_empty_groups(name: str | None) -> str | None:
    """A person name without the delimiters of component groups that are not there, PS3.5 section 6.2.1.1."""
    return None if name is None else name.rstrip("=")


@lru_cache(maxsize=256)
def _encodings(value: bytes) -> tuple[str, ...]:
    terms = [_term(text) for text in value.decode("ascii", "replace").strip(" \0").split("\\")]
    if terms in ([""], ["ISO_IR 6"]):
        return (_DEFAULT_ENCODING,)
    try:
        return tuple(charset.convert_encodings(terms))
    except _UNDECODABLE:
        return (_DEFAULT_ENCODING,)


def _term(text: str) -> str:
    """A defined term, or one that pydicom can mend; it would take the name of any codec of Python's, slow ones too."""
    term = text.strip()
    return term if term.startswith(("ISO", "GB")) else ""


def _decode(value: bytes, encodings: Sequence[str], delimiters: frozenset[int]) -> str:
    if value.isascii() and _ESCAPE not in value:
        return value.decode("ascii")
    try:
        if _ESCAPE in value:
            return charset.decode_bytes(value, encodings, set(delimiters))
        return value.decode(encodings[0], "replace")
    except _UNDECODABLE:
        return value.decode("ascii", "replace")
