"""retrieve.*: jobs that have a PACS send a study, and what is known of what has arrived (actions.context.JobsPort)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.actions.context import Context
from pfdcmd.errors import (
    JobNotFound,
    PacsFault,
    ParameterFault,
    PeerConfigurationFault,
    SeriesNotFound,
    StorageFault,
)
from pfdcmd.methods.method import Example, Method, Schema
from pfdcmd.methods.sample import JOB as JOB_ID
from pfdcmd.methods.sample import SERIES_UID, STUDY_UID
from pfdcmd.methods.schemas import COUNT, JOB, PACS, SERIES, STUDY, TEXT, limit_schema, list_schema, record_schema
from pfdcmd.names import parse_uid
from pfdcmd.retrieve.job import JobState, RetrieveRequest
from pfdcmd.retrieve.jobjson import job_json

Params = Mapping[str, Any]

_MOST_SERIES = 10_000
_MAP_DIR = "/xinetd/series_mapDir"

_MAYBE_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}
_MAYBE_SECONDS: Schema = {"type": ["number", "null"], "minimum": 0}
_STATE: Schema = {"enum": [state.value for state in JobState]}
_JOB = record_schema(
    {
        "job": TEXT,
        "pacs": TEXT,
        "study": {"type": ["string", "null"]},
        "state": _STATE,
        "progress": record_schema({"expected": _MAYBE_COUNT, "received": COUNT, "missing": COUNT}),
        "attempts": COUNT,
        "verdict": TEXT,
        "created": {"type": "number"},
        "ended": _MAYBE_SECONDS,
        "series": list_schema(
            record_schema(
                {
                    "series": TEXT,
                    "state": _STATE,
                    "expected": _MAYBE_COUNT,
                    "received": COUNT,
                    "missing": COUNT,
                    "missing_instances": list_schema(TEXT),
                    "reasons": list_schema(TEXT),
                    "bytes": COUNT,
                }
            )
        ),
    },
    what="times are seconds since the epoch; null is what is not known; verdict is one sentence for people",
)
_STANDING = record_schema(
    {
        "series": TEXT,
        "is_complete": {"type": "boolean"},
        "images": COUNT,
        "expected": _MAYBE_COUNT,
        "missing": _MAYBE_COUNT,
        "directory": TEXT,
        "job": {"type": ["string", "null"]},
    },
    what="of a series: the images that are here, whether that is all, and the latest job that named it",
)
_WANTED: Mapping[str, Schema] = {
    "pacs": PACS,
    "study": STUDY,
    "series": {
        "oneOf": [SERIES, {"type": "array", "items": SERIES, "minItems": 1, "maxItems": _MOST_SERIES}],
        "description": "only this SeriesInstanceUID, or these. One alone is enough: its study is looked up",
    },
    "force": {"type": "boolean", "default": False, "description": "retrieve what is here already, too"},
}
_EXAMPLE_JOB = {
    "job": JOB_ID,
    "pacs": "orthanc",
    "study": STUDY_UID,
    "state": "complete",
    "progress": {"expected": 1, "received": 1, "missing": 0},
    "attempts": 1,
    "verdict": "Everything is here.",
    "created": 1795347744.2,
    "ended": 1795347745.1,
    "series": [
        {
            "series": SERIES_UID,
            "state": "complete",
            "expected": 1,
            "received": 1,
            "missing": 0,
            "missing_instances": [],
            "reasons": [],
            "bytes": 526336,
        }
    ],
}
_JOB_ALONE = {"job": JOB_ID}


def _request(params: Params) -> RetrieveRequest:
    study, series = params.get("study"), params.get("series", ())
    if not study and not series:
        raise ParameterFault("study is missing: a StudyInstanceUID, or at least series.", parameter="study")
    wanted = (series,) if isinstance(series, str) else tuple(series)
    return RetrieveRequest(
        params["pacs"],
        parse_uid(study, "study") if study else None,
        tuple(parse_uid(each, "series") for each in wanted),
        is_forced=params.get("force", False),
    )


async def _start(params: Params, context: Context, _caller: Caller) -> dict[str, Any]:
    return job_json(await context.jobs.start(_request(params)))


async def _plan(params: Params, context: Context, _caller: Caller) -> dict[str, Any]:
    return await context.jobs.plan(_request(params))


async def _status(params: Params, context: Context, _caller: Caller) -> dict[str, Any]:
    if ("job" in params) == ("series" in params):
        raise ParameterFault("Give either job or series.", parameter="job")
    if "job" in params:
        return job_json(await context.jobs.get(params["job"]))
    return await _standing(params["series"], context)


async def _standing(series: str, context: Context) -> dict[str, Any]:
    map_dir = context.tree.get(_MAP_DIR)
    if not isinstance(map_dir, str):
        raise StorageFault(f"{_MAP_DIR} in the tree must name a directory.")
    standing = await context.jobs.standing(map_dir, parse_uid(series, "series"))
    if standing is None:
        raise SeriesNotFound(parameter="series")
    return {
        "series": series,
        "is_complete": standing.is_complete,
        "images": standing.files,
        "expected": standing.expected,
        "missing": standing.missing,
        "directory": standing.directory,
        "job": standing.job,
    }


async def _cancel(params: Params, context: Context, _caller: Caller) -> dict[str, Any]:
    return job_json(await context.jobs.cancel(params["job"]))


async def _list(params: Params, context: Context, _caller: Caller) -> list[dict[str, Any]]:
    return [job_json(job) for job in await context.jobs.list(limit=params.get("limit", 20))]


async def _unsolicited(params: Params, context: Context, _caller: Caller) -> list[dict[str, Any]]:
    return [dict(each) for each in await context.jobs.unsolicited(limit=params.get("limit", 100))]


_ASKING = (PeerConfigurationFault, PacsFault)

METHODS = (
    Method(
        name="retrieve.plan",
        summary="What a retrieve would move: images, what is here already, bytes and seconds by the rates seen so far.",
        right=Right.READ,
        run=_plan,
        params=_WANTED,
        required=("pacs",),
        result=record_schema(
            {
                "pacs": TEXT,
                "study": TEXT,
                "images": COUNT,
                "here": COUNT,
                "bytes": _MAYBE_COUNT,
                "seconds": _MAYBE_SECONDS,
                "series": list_schema(
                    record_schema(
                        {
                            "series": TEXT,
                            "expected": _MAYBE_COUNT,
                            "here": COUNT,
                            "move": COUNT,
                            "missing_instances": list_schema(TEXT),
                        }
                    )
                ),
            }
        ),
        examples=(
            Example(
                "a study",
                {"pacs": "orthanc", "study": STUDY_UID},
                {
                    "pacs": "orthanc",
                    "study": STUDY_UID,
                    "images": 1,
                    "here": 0,
                    "bytes": None,
                    "seconds": None,
                    "series": [{"series": SERIES_UID, "expected": 1, "here": 0, "move": 1, "missing_instances": []}],
                },
            ),
        ),
        errors=_ASKING,
    ),
    Method(
        name="retrieve.start",
        summary="Have a PACS send a study, or some of its series. Returns the job, which goes on by itself.",
        right=Right.OPERATE,
        run=_start,
        params=_WANTED,
        required=("pacs",),
        result=_JOB,
        examples=(
            Example(
                "a study",
                {"pacs": "orthanc", "study": STUDY_UID},
                {
                    **_EXAMPLE_JOB,
                    "state": "queued",
                    "progress": {"expected": None, "received": 0, "missing": 0},
                    "attempts": 0,
                    "verdict": "Waits for its turn.",
                    "ended": None,
                    "series": [],
                },
            ),
        ),
        errors=(*_ASKING, StorageFault),
    ),
    Method(
        name="retrieve.status",
        summary="How far a job has got; or, of a series, what is here of it.",
        right=Right.READ,
        run=_status,
        params={"job": JOB, "series": SERIES},
        result={"oneOf": [_JOB, _STANDING]},
        examples=(Example("a job", _JOB_ALONE, _EXAMPLE_JOB),),
        errors=(JobNotFound, SeriesNotFound, StorageFault),
    ),
    Method(
        name="retrieve.list",
        summary="The latest jobs, the newest first.",
        right=Right.READ,
        run=_list,
        params={"limit": limit_schema(20, 10_000, "jobs")},
        result=list_schema(_JOB),
        examples=(Example("the latest", {"limit": 1}, [_EXAMPLE_JOB]),),
        errors=(StorageFault,),
    ),
    Method(
        name="retrieve.cancel",
        summary="End a job; what has arrived stays. A job that has ended already is as it was.",
        right=Right.OPERATE,
        run=_cancel,
        params={"job": JOB},
        required=("job",),
        result=_JOB,
        examples=(
            Example("a job", _JOB_ALONE, {**_EXAMPLE_JOB, "state": "cancelled", "verdict": "It was cancelled."}),
        ),
        errors=(JobNotFound, StorageFault),
    ),
    Method(
        name="retrieve.unsolicited",
        summary="Series of which images arrived that no job had asked for, the latest first.",
        right=Right.READ,
        run=_unsolicited,
        params={"limit": limit_schema(100, 10_000, "series")},
        result=list_schema(
            record_schema(
                {
                    "series": TEXT,
                    "study": TEXT,
                    "images": COUNT,
                    "first": {"type": "number"},
                    "last": {"type": "number"},
                    "calling": TEXT,
                    "directory": TEXT,
                }
            )
        ),
        examples=(
            Example(
                "the latest",
                {"limit": 1},
                [
                    {
                        "series": SERIES_UID,
                        "study": STUDY_UID,
                        "images": 12,
                        "first": 1795347744.2,
                        "last": 1795347745.1,
                        "calling": "CT01",
                        "directory": "12345-DOE.JANE/Head-20240131-1.2.3/Axial-20240131-1.2.3.4",
                    }
                ],
            ),
        ),
        errors=(StorageFault,),
    ),
)
