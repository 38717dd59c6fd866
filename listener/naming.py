"""Names: directories and files that an image's elements give it, .info texts, map texts. No I/O.

A path component is made of what a stranger sent, so everything passes `san`: what is not a letter or a digit becomes a
full stop, no component is ever `.` or `..` or empty, none is longer than a file system takes.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from listener.elements import Elements

ABSENT_IN_PATH = "no.value.provided"
ABSENT_IN_TEXT = "no value provided"
PATIENT_INFO = "patient.info"
STUDY_INFO = "study.info"
SERIES_INFO = "series.info"
RECEIVING = "receiving.series"
IMAGE_SUFFIX = ".dcm"

# Of every file system in use.
MAX_COMPONENT_BYTES = 255
_MAX_TAIL_BYTES = 158
_DIGEST_CHARACTERS = 8
_INSTANCE_NUMBER_WIDTH = 5
_INTEGER = re.compile(r"[+-]?[0-9]{1,12}\Z", re.ASCII)


# What one series' images share is worked out once.
@lru_cache(maxsize=4096)
def san(value: str | None) -> str:
    """The value as it stands in a path: stripped, each character that is not alphanumeric a full stop."""
    text = "".join(each if each.isalnum() else "." for each in (value or "").strip())
    return text or ABSENT_IN_PATH


def _shown(value: str | None) -> str:
    """The value as it stands in an .info file; only there an element that is absent differs from an empty one."""
    return ABSENT_IN_TEXT if value is None else san(value)


def _cut(text: str, limit: int) -> str:
    """Text of at most `limit` bytes; cut text ends in a digest of the whole, so that two do not become one."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit:
        return text
    digest = hashlib.sha256(encoded).hexdigest()[:_DIGEST_CHARACTERS]
    return encoded[: limit - _DIGEST_CHARACTERS - 1].decode("utf-8", "ignore") + "." + digest


@dataclass(frozen=True)
class Place:
    """Where an image belongs below the data directory: three directories and a file name, each one path component."""

    patient_dir: str
    study_dir: str
    series_dir: str
    file_name: str

    @property
    def series_path(self) -> str:
        """The series directory, below the data directory."""
        return f"{self.patient_dir}/{self.study_dir}/{self.series_dir}"


def place(elements: Elements) -> Place:
    """The image's place, by the layout that callers of the original know."""
    number = (elements.instance_number or "").strip()
    if _INTEGER.match(number):
        number = str(int(number))
    stem = f"{_cut(san(number).rjust(_INSTANCE_NUMBER_WIDTH, '0'), 64)}-{_cut(san(elements.sop_instance_uid), 128)}"
    return Place(
        patient_dir=_directory(elements.patient_id, elements.patient_name),
        study_dir=_directory(elements.study_description, elements.study_date, elements.study_uid),
        series_dir=_directory(elements.series_description, elements.series_date, elements.series_uid),
        file_name=stem + IMAGE_SUFFIX,
    )


@lru_cache(maxsize=4096)
def _directory(label: str | None, *rest: str | None) -> str:
    """`label-rest-...`. Too long, the label is cut first: what ends in a UID is what tells two directories apart."""
    tail = _cut("-".join(_cut(san(each), _MAX_TAIL_BYTES) for each in rest), _MAX_TAIL_BYTES)
    return _cut(san(label), MAX_COMPONENT_BYTES - 1 - len(tail.encode("utf-8", "replace"))) + "-" + tail


def conflicting_name(file_name: str, digest: str) -> str:
    """The name of a second, different copy of an instance. It does not end in .dcm, so nobody counts it as an image."""
    return f"{file_name}.differs-{digest[:16]}"


@dataclass(frozen=True)
class SideFile:
    """A small text that goes with a directory; `name` is one path component."""

    name: str
    text: str


def patient_info(elements: Elements, location: str) -> SideFile:
    """patient.info, in the patient's directory."""
    return SideFile(
        PATIENT_INFO,
        _info(
            "PATIENT",
            patientid=_shown(elements.patient_id),
            patientname=_shown(elements.patient_name),
            location=location,
        ),
    )


def study_info(elements: Elements, location: str) -> SideFile:
    """study.info, in the study's directory."""
    return SideFile(
        STUDY_INFO,
        _info(
            "STUDY",
            studydescription=_shown(elements.study_description),
            studydate=_shown(elements.study_date),
            studyinstanceuid=_shown(elements.study_uid),
            location=location,
        ),
    )


def series_info(elements: Elements, location: str) -> SideFile:
    """Written as receiving.series, renamed to series.info when the series is closed."""
    return SideFile(
        RECEIVING,
        _info(
            "SERIES",
            seriesdescription=_shown(elements.series_description),
            seriesdate=_shown(elements.series_date),
            seriesinstanceuid=_shown(elements.series_uid),
            location=location,
        ),
    )


def _info(section: str, **values: str) -> str:
    """INI text as the original's configuration parser wrote it."""
    return f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items()) + "\n"


def map_file(identifier: str | None, location: str) -> SideFile:
    """A map file: JSON of one key, the identifier, whose value is the directory."""
    key = san(identifier)
    return SideFile(_cut(key, MAX_COMPONENT_BYTES - len(".json")) + ".json", json.dumps({key: location}))
