"""Which elements a report shows: the default, or what the caller's `reportTags` says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pfdcmd.errors import ParameterFault
from pfdcmd.pacs.keys import RETURN_KEYS, query_keyword

_MAX_CHARACTERS = 65_536
_MAX_TAGS = 256


@dataclass(frozen=True)
class ReportTags:
    """Keywords in the order shown: of the study and of its first series in the header, of each series in the body."""

    header_study: tuple[str, ...] = (
        "PatientName",
        "PatientBirthDate",
        "StudyDate",
        "PatientAge",
        "PatientSex",
        "AccessionNumber",
        "PatientID",
        "PerformedStationAETitle",
        "StudyDescription",
    )
    header_series: tuple[str, ...] = ("Modality",)
    body_series: tuple[str, ...] = ("SeriesDescription",)

    @property
    def keywords(self) -> frozenset[str]:
        """All of them: the elements that the query has to ask back."""
        return frozenset((*self.header_study, *self.header_series, *self.body_series))


def parse_report_tags(value: object) -> ReportTags:
    """Read `{"header": {"study": [...], "series": [...]}, "body": {"series": [...]}}`, as JSON text or as a dictionary.

    A part that is left out is the default's; nothing at all (null, an empty text) is the default.

    Raises: ParameterFault: not of this shape, or a name that is no DICOM keyword of a text element.
    """
    if value is None or value == "":
        return ReportTags()
    tags = _parse_json(value) if isinstance(value, str) else value
    header, body = _part(tags, "header"), _part(tags, "body")
    default = ReportTags()
    return ReportTags(
        header_study=_keywords(header, "study", default.header_study),
        header_series=_keywords(header, "series", default.header_series),
        body_series=_keywords(body, "series", default.body_series),
    )


def _parse_json(text: str) -> object:
    if len(text) > _MAX_CHARACTERS:
        raise ParameterFault(f"reportTags is longer than {_MAX_CHARACTERS} characters.")
    try:
        tags: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParameterFault("reportTags must be JSON.") from error
    return tags


def _part(tags: object, name: str) -> Mapping[str, object]:
    part = tags.get(name, {}) if isinstance(tags, Mapping) else None
    if not isinstance(part, Mapping):
        raise ParameterFault("reportTags must be a dictionary with the dictionaries header and body.")
    return part


def _keywords(part: Mapping[str, object], level: str, default: tuple[str, ...]) -> tuple[str, ...]:
    names = part.get(level, default)
    if not isinstance(names, list | tuple) or len(names) > _MAX_TAGS:
        raise ParameterFault(f"reportTags must give a list of at most {_MAX_TAGS} keywords for each level.")
    return tuple(_keyword(name) for name in names)


def _keyword(name: object) -> str:
    keyword = query_keyword(name) if isinstance(name, str) else None
    if keyword is None and isinstance(name, str) and name in RETURN_KEYS:
        keyword = name
    if keyword is None:
        raise ParameterFault("reportTags names something that is no keyword of a DICOM element with a text value.")
    return keyword
