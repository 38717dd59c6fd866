"""The report of a query: each study's header and series as boxed text, plain text and JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pfdcmd.pacs.keys import NO_VALUE
from pfdcmd.pacs.layout import Row, boxed, plain
from pfdcmd.pacs.reporttags import ReportTags
from pfdcmd.pacs.result import Attributes, StudyMatch

RETRIEVE_OK = " [ OK ] "
RETRIEVE_FAILED = " [ FAILED ] "

Retrieved = Mapping[str, bool]
"""SeriesInstanceUID -> whether its retrieve went well."""


def make_report(
    studies: Sequence[StudyMatch], tags: ReportTags, retrieved: Retrieved | None = None
) -> dict[str, list[dict[str, Any]]]:
    """`{"tabular": [...], "rawText": [...], "json": [...]}`, parallel to studies.

    Args: retrieved: given when the series were retrieved too; only the JSON then tells how that went.
    """
    headers = [_header(study, tags) for study in studies]
    bodies = [[_select(series, tags.body_series) for series in study.series] for study in studies]
    return {
        "tabular": [_as_text(header, body, boxed) for header, body in zip(headers, bodies, strict=True)],
        "rawText": [_as_text(header, body, plain) for header, body in zip(headers, bodies, strict=True)],
        "json": [
            _as_json(study, header, body, retrieved)
            for study, header, body in zip(studies, headers, bodies, strict=True)
        ],
    }


def _header(study: StudyMatch, tags: ReportTags) -> dict[str, str]:
    first_series = study.series[0] if study.series else {}
    of_study = {keyword: _first_value(keyword, study.attributes, first_series) for keyword in tags.header_study}
    of_series = {keyword: _first_value(keyword, first_series, study.attributes) for keyword in tags.header_series}
    return {**of_study, **of_series}


def _first_value(keyword: str, *sources: Attributes) -> str:
    values = (source.get(keyword, NO_VALUE) for source in sources)
    return next((value for value in values if value != NO_VALUE), NO_VALUE)


def _select(series: Attributes, keywords: Sequence[str]) -> dict[str, str]:
    return {keyword: series.get(keyword, NO_VALUE) for keyword in keywords}


def _as_text(
    header: Mapping[str, str], body: Sequence[Mapping[str, str]], layout: Callable[[Iterable[Row]], str]
) -> dict[str, Any]:
    rows: list[Row] = [row for series in body for row in series.items()]
    return {"header": layout(header.items()), "body": layout(rows)}


def _as_json(
    study: StudyMatch, header: dict[str, str], body: Sequence[dict[str, str]], retrieved: Retrieved | None
) -> dict[str, Any]:
    uids = [series.get("SeriesInstanceUID", NO_VALUE) for series in study.series]
    if retrieved is not None:
        body = [
            {**series, "PACS_Retrieve": RETRIEVE_OK if retrieved.get(uid) else RETRIEVE_FAILED}
            for uid, series in zip(uids, body, strict=True)
        ]
    return {"header": header, "body": list(body), "bodySeriesUID": [{"SeriesInstanceUID": uid} for uid in uids]}
