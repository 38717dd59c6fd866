"""pacs.*: the PACSs that pfdcm knows, whether they answer, and what they have."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.actions.context import Context
from pfdcmd.actions.peers import delete_peer, find_peer, list_peers, put_peer
from pfdcmd.errors import (
    PacsFault,
    PeerConfigurationFault,
    PeerFailed,
    PeerRefused,
    PeerTimeout,
    PeerUnreachable,
    TreeTooLarge,
)
from pfdcmd.methods.method import Example, Method, Schema, Stream
from pfdcmd.methods.sample import PATIENT_ID, STUDY_DATE, STUDY_UID
from pfdcmd.methods.schemas import AE_TITLE, COUNT, LEVEL, PACS, TEXT, TEXTS, limit_schema, list_schema, record_schema
from pfdcmd.pacs.level import LevelQuery

MATCH = "pacs.match"
"""The notification that carries one match of a stream."""

_DEFAULT_MATCHES = 1000
_MOST_MATCHES = 1_000_000
_MOST_KEYS = 256

Params = Mapping[str, Any]

# What an entry may have besides, as pacs.peer, pacs.peertls and retrieve.policy read it.
_MORE: Mapping[str, Schema] = {
    "tls": {"type": ["boolean", "string"], "description": "whether to speak TLS"},
    "tlsCA": {"type": "string", "description": "a file of certificates (PEM) that the PACS's must lead to"},
    "tlsCertificate": {"type": "string", "description": "a file with our certificate (PEM)"},
    "tlsKey": {"type": "string", "description": "a file with our certificate's key (PEM)"},
    "tlsCheckHost": {"type": ["boolean", "string"], "description": "whether the PACS's certificate must name its host"},
    "retrieveBy": {"enum": ["move", "get"], "description": "how images are retrieved: by C-MOVE or by C-GET"},
    "maxAssociations": {"type": ["integer", "string"], "description": "how many associations it takes from us at once"},
    "imagesPerSecond": {"type": ["number", "string"], "description": "the most images a second that retrieves ask for"},
    "quietHours": {"type": "string", "description": "HH:MM-HH:MM, local time, in which no retrieve begins"},
}
_ENTRY = record_schema(
    {"pacs": TEXT, "host": TEXT, "port": TEXT, "aec": TEXT, "aet": TEXT, "aet_listener": TEXT, "fault": TEXT},
    what="fault says why the entry cannot be used, and is empty when it can",
)
_ORTHANC = {"pacs": "orthanc", "host": "127.0.0.1", "port": 4242, "aec": "ORTHANC", "aet": "CHIPS"}
_LISTED = {**_ORTHANC, "port": "4242", "aet_listener": "", "fault": ""}


async def _list(_params: Params, context: Context, _caller: Caller) -> list[dict[str, Any]]:
    return list_peers(context.tree)


async def _add(params: Params, context: Context, _caller: Caller) -> dict[str, Any]:
    name = params["pacs"]
    entry = {"serverIP": params["host"], "serverPort": str(params["port"]), "aec": params["aec"], "aet": params["aet"]}
    entry |= {key: value for key, value in params.items() if key in ("aet_listener", *_MORE)}
    put_peer(name, entry, context.tree)
    return next(each for each in list_peers(context.tree) if each["pacs"] == name)


async def _remove(params: Params, context: Context, _caller: Caller) -> None:
    delete_peer(params["pacs"], context.tree)


async def _echo(params: Params, context: Context, _caller: Caller) -> dict[str, Any]:
    peer = find_peer(params["pacs"], context.tree)
    begun = time.monotonic()
    await context.pacs.echo(peer)
    return {"pacs": params["pacs"], "status": "success", "seconds": round(time.monotonic() - begun, 4)}


async def _find(params: Params, context: Context, _caller: Caller) -> Any:
    peer = find_peer(params["pacs"], context.tree)
    limit = min(params.get("limit", _DEFAULT_MATCHES), context.settings.pacs_max_matches)
    query = LevelQuery(params["level"], params["keys"], limit)
    matches = _closed_at_end(context.pacs.find_level(peer, query))
    if params.get("stream", False):
        return Stream(MATCH, matches)
    async with aclosing(matches):
        return [dict(match) async for match in matches]


async def _closed_at_end(matches: AsyncIterator[Mapping[str, str]]) -> AsyncGenerator[Mapping[str, str], None]:
    """The matches, with the association ended when their reader is: also in the middle."""
    try:
        async for match in matches:
            yield match
    finally:
        if isinstance(matches, AsyncGenerator):
            await matches.aclose()


_NETWORK = (PeerConfigurationFault, PeerUnreachable, PeerRefused, PeerTimeout, PeerFailed, PacsFault)

METHODS = (
    Method(
        name="pacs.add",
        summary="Tell pfdcm of a PACS, in place of what it knew of one of that name.",
        right=Right.ADMIN,
        run=_add,
        params={
            "pacs": {**PACS, "description": "the name that it shall have here"},
            "host": {"type": "string", "minLength": 1, "maxLength": 255, "description": "its address or host name"},
            "port": {"type": ["integer", "string"], "description": "its DICOM port, 1 to 65535"},
            "aec": {**AE_TITLE, "description": "its AE title"},
            "aet": {**AE_TITLE, "description": "our AE title, as it knows us"},
            "aet_listener": {**AE_TITLE, "description": "the AE title it sends images to, where that is not aet"},
            **_MORE,
        },
        required=("pacs", "host", "port", "aec", "aet"),
        result=_ENTRY,
        examples=(Example("an Orthanc", _ORTHANC, _LISTED),),
        errors=(PeerConfigurationFault, TreeTooLarge),
    ),
    Method(
        name="pacs.list",
        summary="The PACSs that pfdcm knows; help, which every tree begins with, shows what an entry has.",
        right=Right.READ,
        run=_list,
        result=list_schema(_ENTRY),
        examples=(Example("all", {}, [_LISTED]),),
    ),
    Method(
        name="pacs.echo",
        summary="Whether a PACS answers C-ECHO, on an association of its own.",
        right=Right.READ,
        run=_echo,
        params={"pacs": PACS},
        required=("pacs",),
        result=record_schema({"pacs": TEXT, "status": {"const": "success"}, "seconds": {"type": "number"}}),
        examples=(
            Example("it does", {"pacs": "orthanc"}, {"pacs": "orthanc", "status": "success", "seconds": 0.0123}),
        ),
        errors=_NETWORK,
    ),
    Method(
        name="pacs.find",
        summary="What a PACS has at one level (C-FIND). Returns the matches, or as a stream how many there were.",
        right=Right.READ,
        run=_find,
        params={
            "pacs": PACS,
            "level": LEVEL,
            "keys": {
                "type": "object",
                "maxProperties": _MOST_KEYS,
                "additionalProperties": {"type": "string", "maxLength": 10_240},
                "description": "what to match: keyword, or gggg,eeee, to a value; an empty one asks the element back. "
                "Values may be ranges, lists and have * and ? (PS3.4 section C.2.2.2)",
            },
            "limit": limit_schema(_DEFAULT_MATCHES, _MOST_MATCHES, "matches; the setting pacs_max_matches bounds it"),
            "stream": {
                "type": "boolean",
                "default": False,
                "description": f"over a WebSocket: each match comes as a notification {MATCH} with request (the id of "
                "this request), number (from 1) and item (the match)",
            },
        },
        required=("pacs", "level", "keys"),
        result={
            "oneOf": [
                list_schema(TEXTS, "each match: keyword, or eight digits, to text"),
                record_schema({"count": COUNT}, what="of a stream, when it has ended"),
            ]
        },
        examples=(
            Example(
                "the studies of a patient",
                {"pacs": "orthanc", "level": "STUDY", "keys": {"PatientID": PATIENT_ID, "StudyDate": ""}, "limit": 1},
                [
                    {
                        "PatientID": PATIENT_ID,
                        "StudyDate": STUDY_DATE,
                        "StudyInstanceUID": STUDY_UID,
                    }
                ],
            ),
        ),
        errors=_NETWORK,
    ),
    Method(
        name="pacs.remove",
        summary="Forget a PACS.",
        right=Right.ADMIN,
        run=_remove,
        params={"pacs": PACS},
        required=("pacs",),
        result={"type": "null"},
        examples=(Example("the Orthanc", {"pacs": "orthanc"}, None),),
    ),
)
