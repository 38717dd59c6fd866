"""events.*: to be told of changes. Over a WebSocket alone: whoever calls by POST is told so.

The socket does the subscribing itself (edge.http.socketsubscriptions); what a call means and what there is to show at
its beginning is said here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.actions.context import Context
from pfdcmd.errors import JobNotFound, MessageFault, ParameterFault
from pfdcmd.events.showing import describe
from pfdcmd.events.stream import Place
from pfdcmd.events.topic import JOBS, LISTENERS, MAX_TOPIC_CHARACTERS, below_root, parse_topic, topic_of_path
from pfdcmd.methods.method import Method
from pfdcmd.methods.schemas import COUNT, TEXT, record_schema
from pfdcmd.retrieve.jobjson import job_json

Params = Mapping[str, Any]

SUBSCRIBE = "events.subscribe"
UNSUBSCRIBE = "events.unsubscribe"

_JOBS_SHOWN = 100
_NOT_HERE = "Events are told over a WebSocket: connect to GET /rpc with Upgrade: websocket, and call this there."


def wanted_topic(params: Params) -> str:
    """What the caller wants to follow. Raises: ParameterFault: neither a path nor a topic, or both."""
    if ("path" in params) == ("topic" in params):
        raise ParameterFault("Give either path or topic.", parameter="topic")
    return topic_of_path(params["path"]) if "path" in params else parse_topic(params["topic"])


def place_of(params: Params) -> Place | None:
    """Where the caller was before its connection broke, if it says so."""
    since = params.get("since")
    return None if since is None else Place(since["epoch"], since["number"])


async def snapshot_of(topic: str, context: Context, *, is_whole: bool = True) -> dict[str, Any]:
    """What there is of a topic now.

    Args:   is_whole: a part of the tree however large it is; else `is_large` stands for it.
    Raises: JobNotFound: there is no such job.
    """
    root, name = topic.partition("/")[0], below_root(topic)
    if root == JOBS:
        if name:
            return job_json(await context.jobs.get(name))
        return {"jobs": [job_json(job) for job in await context.jobs.list(limit=_JOBS_SHOWN)]}
    if root == LISTENERS:
        listing = context.listeners.listing()
        if name:
            return {"service": name, "listing": listing.get(name)}
        return {"services": dict(listing)}
    return describe(name, context.tree.get(name), is_whole=is_whole)


async def _only_on_a_websocket(_params: Params, _context: Context, _caller: Caller) -> Any:
    raise MessageFault(_NOT_HERE)


METHODS = (
    Method(
        name=SUBSCRIBE,
        summary="Over a WebSocket: be told of every change of a topic, numbered without gaps; docs/events.md.",
        right=Right.READ,
        run=_only_on_a_websocket,
        params={
            "topic": {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_TOPIC_CHARACTERS,
                "description": "tree/PATH, jobs, jobs/JOB, listeners or listeners/SERVICE, with all that is below it",
            },
            "path": {
                "type": "string",
                "maxLength": MAX_TOPIC_CHARACTERS,
                "description": "instead of a topic: a path of the data tree",
            },
            "since": {
                "type": "object",
                "properties": {"epoch": {"type": "string", "maxLength": 64}, "number": COUNT},
                "required": ["epoch", "number"],
                "additionalProperties": False,
                "description": "epoch and number that were heard last, to go on from there",
            },
        },
        result=record_schema(
            {
                "subscription": TEXT,
                "topic": TEXT,
                "epoch": TEXT,
                "number": COUNT,
                "resumed": {"type": "boolean"},
                "snapshot": {"type": ["object", "null"], "description": "what there is now; null when resumed"},
            }
        ),
        errors=(MessageFault, JobNotFound),
    ),
    Method(
        name=UNSUBSCRIBE,
        summary="Over a WebSocket: hear no more of a subscription.",
        right=Right.READ,
        run=_only_on_a_websocket,
        params={"subscription": {"type": "string", "maxLength": 64, "description": "as events.subscribe named it"}},
        required=("subscription",),
        result={"type": "null"},
        errors=(MessageFault,),
    ),
)
