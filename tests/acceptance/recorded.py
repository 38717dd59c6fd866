"""Recorded replies made comparable: what depends on the PACS's order, the machine or the clock is put aside."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parents[1] / "golden" / "pacs.json"

# A PACS answers these of a study with those of any one of its series or images.
_OF_ANY_SERIES = frozenset(
    ("Modality", "SeriesDate", "SeriesDescription", "SeriesInstanceUID", "InstanceNumber", "ProtocolName", "PatientAge")
)


def comparable(reply: Any) -> Any:
    """A reply of the action PACSinteract or internalDB in a form that `==` compares, strict on keys and types."""
    reply = json.loads(json.dumps(reply))
    query = reply.get("query") if isinstance(reply, dict) else None
    if query:
        _order(query)
    status = reply.get("retrieveStatus") if isinstance(reply, dict) else None
    if status:
        _drop_what_the_original_did_not_know(status)
    if isinstance(reply.get("copy"), dict):
        assert re.fullmatch(r"\d{14}\.\d{6}", reply["copy"].pop("timestamp"))
    return reply


def _drop_what_the_original_did_not_know(status: dict[str, Any]) -> None:
    """retrieveStatus tells more of a series that a job named; of one that is here as a whole nothing is missing."""
    expected, missing, job = (status.pop(key, None) for key in ("expected", "missing", "job"))
    assert (expected is None) == (missing is None)
    assert job is None or re.fullmatch(r"[0-9a-f]{16}", job)
    if status["status"] and expected is not None:
        assert (expected, missing) == (status["numDCMfiles"], 0)


def indexes(reply: Any) -> list[int]:
    """The places of a query's studies among all that the PACS answered."""
    return [study["uid"]["value"] for study in reply["query"]["data"]]


def shape(value: Any) -> Any:
    """Keys and types only: for replies that are made of machine paths and programs' output."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return value if isinstance(value, bool) else type(value).__name__


def _order(query: dict[str, Any]) -> None:
    data, report = query["data"], query["report"]
    assert len(data) == len(report["tabular"]) == len(report["rawText"]) == len(report["json"])
    order = sorted(range(len(data)), key=lambda index: data[index]["StudyInstanceUID"]["value"])
    for parallel in (data, report["tabular"], report["rawText"], report["json"]):
        parallel[:] = [parallel[index] for index in order]
    for study, tabular, raw, as_json in zip(
        data, *(report[name] for name in ("tabular", "rawText", "json")), strict=True
    ):
        _order_study(study, tabular, raw, as_json)


def _order_study(study: dict[str, Any], tabular: Any, raw: Any, as_json: Any) -> None:
    assert isinstance(study["uid"]["value"], int)
    study["uid"]["value"] = "any"
    series = study["series"]
    assert [one["uid"]["value"] for one in series] == list(range(len(series)))
    _check_of_any_series(study)
    order = sorted(range(len(series)), key=lambda index: series[index]["SeriesInstanceUID"]["value"])
    for parallel in (series, as_json["body"], as_json["bodySeriesUID"]):
        parallel[:] = [parallel[index] for index in order]
    for index, one in enumerate(series):
        one["uid"]["value"] = index
        one["InstanceNumber"]["value"] = "any"
    lines = raw["body"].splitlines(keepends=True)
    raw["body"] = "".join(_in_order(lines, order))
    top, *rows, bottom = tabular["body"].split("\n")
    tabular["body"] = "\n".join([top, *_in_order(rows, order), bottom])


def _check_of_any_series(study: dict[str, Any]) -> None:
    for keyword in _OF_ANY_SERIES:
        values = {one[keyword]["value"] for one in study["series"]}
        value = study[keyword]["value"]
        assert keyword == "InstanceNumber" or value in values, f"{keyword} of the study is that of none of its series"
        study[keyword]["value"] = "any"


def _in_order(rows: list[str], order: list[int]) -> list[str]:
    count = len(rows) // len(order) if order else 0
    assert count * len(order) == len(rows)
    return [row for index in order for row in rows[index * count : (index + 1) * count]]
