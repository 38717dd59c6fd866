"""internalDB: what is here of a series: one image's elements (`DICOMtagsGet`), or a copy of its directory (`copy`).

meta: {"do": "DICOMtagsGet" | "copy", "on": {"series_uid": UID}, "to": {"path": absolute directory}}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from pfdcmd.actions.context import Context, Meta, Reply
from pfdcmd.actions.receivedseries import copy_series, find_directory, parse_target, read_tags
from pfdcmd.errors import ParameterFault, SeriesNotFound, StorageFault
from pfdcmd.names import Uid, parse_uid


async def internaldb(meta: Meta, context: Context) -> Reply:
    """Answer `{"status": bool, "<do>": {"status": bool, ...}}`; an unknown `do` gets an empty success, as ever.

    Raises: ParameterFault: `do`, the UID or the path cannot be used.
            SeriesNotFound: there is nothing to copy.
    """
    do = meta.get("do")
    if not isinstance(do, str):
        raise ParameterFault('No "do" directive specified.')
    if do == "DICOMtagsGet":
        result = await _tags(_series_uid(meta), context)
    elif do == "copy":
        result = await _copy(_series_uid(meta), _target(meta), context)
    else:
        return {"status": True, do: {}}
    return {"status": result["status"], do: result}


async def _tags(uid: Uid, context: Context) -> Reply:
    try:
        return {"status": True, "d_dicom": await read_tags(uid, context)}
    except SeriesNotFound:
        return {"status": False, "d_dicom": {}}
    except StorageFault as fault:
        return {"status": False, "d_dicom": {}, "msg": fault.message}


async def _copy(uid: Uid, target_dir: PurePosixPath, context: Context) -> Reply:
    target = str(target_dir / uid)
    directory = await find_directory(uid, context)
    reason = ""
    try:
        is_copied = (await copy_series(directory, target, context)).is_made
    except StorageFault as fault:
        is_copied, reason = False, f" {fault.message}"
    verdict = "Success" if is_copied else "Failed"
    return {
        "status": is_copied,
        "msg": f"{verdict}: Copying {directory} to {target}...{reason}",
        "timestamp": context.now().strftime("%Y%m%d%H%M%S.%f"),
    }


def _series_uid(meta: Meta) -> Uid:
    return parse_uid(_mapping(meta, "on").get("series_uid"), "series_uid")


def _target(meta: Meta) -> PurePosixPath:
    return parse_target(_mapping(meta, "to").get("path"), "to.path")


def _mapping(meta: Meta, key: str) -> Mapping[str, Any]:
    value = meta.get(key)
    if not isinstance(value, Mapping):
        raise ParameterFault(f'internalDB needs "{key}".')
    return value
