"""How a retrieve is getting on: what is here of a series, and what is missing. Callers poll it, so it is cheap.

`expected` and `missing` are there once the PACS has said how many images there are, `job` once a job named the series.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pfdcmd.actions.context import Context, Reply
from pfdcmd.errors import ParameterFault
from pfdcmd.names import parse_uid

RECEIVED = "Received all DICOM files."
PENDING = "Some DICOM files pending."
NO_SERIES_UID = "series_uid was not specified in call"

# A name that can stand in a message, though it is no UID; anything else is not repeated.
_HARMLESS = re.compile(r"(?!\.\.)[A-Za-z0-9._-]{1,64}\Z")


async def retrieve_status(on: Mapping[str, Any], context: Context) -> Reply:
    """`{"status": ..., "retrieveStatus": {...}}` of the series `on["series_uid"]`; true when it is here as a whole."""
    told = await _told(series_uid_of(on), context)
    return {"status": told["status"], "retrieveStatus": told}


def series_uid_of(on: Mapping[str, Any]) -> object:
    """What a caller gave as `series_uid`, or None; a form that was split at "_" has it as `series.uid`."""
    if "series_uid" in on:
        return on["series_uid"]
    if "series.uid" in on:
        return on["series.uid"]
    nested = on.get("series")
    return nested.get("uid") if isinstance(nested, Mapping) else None


async def _told(given: object, context: Context) -> dict[str, Any]:
    if given is None:
        return {"msg": NO_SERIES_UID, "status": False}
    map_dir = context.tree.get("/xinetd/series_mapDir")
    if not isinstance(map_dir, str):
        raise ParameterFault("/xinetd/series_mapDir in the tree must name a directory.")
    try:
        series_uid = parse_uid(given, "series_uid")
    except ParameterFault:
        is_harmless = isinstance(given, str) and _HARMLESS.match(given)
        return _not_found(f"{map_dir}/{given}.json" if is_harmless else "of this series")
    standing = await context.jobs.standing(map_dir, series_uid)
    if standing is None:
        return _not_found(f"{map_dir}/{series_uid}.json")
    told = {
        "msg": RECEIVED if standing.is_complete else PENDING,
        "numDCMfiles": standing.files,
        "terminatorFile": f"{standing.directory}/series.info",
        "DICOMdir": standing.directory,
        "seriesUID": series_uid,
        "status": standing.is_complete,
    }
    known = {"expected": standing.expected, "missing": standing.missing, "job": standing.job}
    return told | {key: value for key, value in known.items() if value is not None}


def _not_found(map_file: str) -> dict[str, Any]:
    return {"msg": f"Series map file {map_file} not found", "status": False}
