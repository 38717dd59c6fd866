"""files.*: the series that have arrived."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.actions.context import Context
from pfdcmd.actions.receivedseries import copy_series, find_directory, parse_target, read_tags
from pfdcmd.errors import PathRefused, SeriesNotFound, StorageFault, TargetTaken
from pfdcmd.methods.method import Example, Method
from pfdcmd.methods.sample import SERIES_UID
from pfdcmd.methods.schemas import SERIES, TEXT, TEXTS, record_schema
from pfdcmd.names import parse_uid

Params = Mapping[str, Any]


async def _tags(params: Params, context: Context, _caller: Caller) -> dict[str, str]:
    return await read_tags(parse_uid(params["series"], "series"), context)


async def _copy(params: Params, context: Context, _caller: Caller) -> dict[str, str]:
    uid = parse_uid(params["series"], "series")
    target = str(parse_target(params["path"], "path") / uid)
    copy = await copy_series(await find_directory(uid, context), target, context)
    if not copy.is_made:
        raise TargetTaken(f"{target} is there already.", parameter="path")
    return {"series": uid, "source": copy.source, "target": copy.target}


METHODS = (
    Method(
        name="files.tags",
        summary="The elements of a received series' first image, without PixelData.",
        right=Right.READ,
        run=_tags,
        params={"series": SERIES},
        required=("series",),
        result={**TEXTS, "description": "keyword to text"},
        examples=(Example("a series", {"series": SERIES_UID}, {"Modality": "CT", "SeriesInstanceUID": SERIES_UID}),),
        errors=(SeriesNotFound, StorageFault),
    ),
    Method(
        name="files.copy",
        summary="Copy the directory of a received series to PATH/SERIES.",
        right=Right.OPERATE,
        run=_copy,
        params={
            "series": SERIES,
            "path": {"type": "string", "maxLength": 4096, "description": "an absolute directory on pfdcm's machine"},
        },
        required=("series", "path"),
        result=record_schema({"series": TEXT, "source": TEXT, "target": TEXT}),
        examples=(
            Example(
                "to a project",
                {"series": SERIES_UID, "path": "/data/project"},
                {
                    "series": SERIES_UID,
                    "source": "/dicom/data/12345-DOE.JANE/Head-20240131-1.2.3/Axial-20240131-1.2.3.4",
                    "target": f"/data/project/{SERIES_UID}",
                },
            ),
        ),
        errors=(SeriesNotFound, StorageFault, TargetTaken, PathRefused),
    ),
)
