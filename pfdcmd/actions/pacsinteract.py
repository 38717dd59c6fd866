"""The action PACSinteract: query a PACS, retrieve a series from it, ask how a retrieve is getting on.

A retrieve is a job, waited for until it has ended or is held up; it goes on when its caller goes away.

`meta = {"do": "query" | "retrieve" | "retrieveStatus", "on": {...}, "PACS": name of an entry below /PACS}`
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pfdcmd.actions.context import Context, Meta, Reply
from pfdcmd.actions.retrievestatus import retrieve_status, series_uid_of
from pfdcmd.errors import ParameterFault
from pfdcmd.names import parse_uid
from pfdcmd.pacs.command import find_command, move_command
from pfdcmd.pacs.peer import Peer, parse_peer
from pfdcmd.pacs.query import Query, parse_query
from pfdcmd.pacs.report import make_report
from pfdcmd.pacs.reporttags import parse_report_tags
from pfdcmd.pacs.result import StudyMatch, study_json
from pfdcmd.retrieve.job import JobState, RetrieveRequest
from pfdcmd.tree.store import Tree

# Callers compare these as strings.
NO_DO = 'No "do" directive specified.'
INVALID_PACS = "Invalid PACS specified."


async def pacsinteract(meta: Meta, context: Context) -> Reply:
    """`{"status": ..., "<do>": {...}}`; an unknown `do`, or no PACS, has nothing in it, as callers know.

    Raises: ParameterFault: no `do`, an unknown PACS, or keys that cannot be used; PacsFault: a query that failed.
    """
    do = meta.get("do")
    if not isinstance(do, str) or not do:
        raise ParameterFault(NO_DO)
    entry = _pacs_entry(context.tree, meta["PACS"]) if "PACS" in meta else None
    # What is here already can be told without a PACS.
    if do == "retrieveStatus":
        return await retrieve_status(_keys(meta), context)
    if entry is None or do not in ("query", "retrieve"):
        return {"status": True, do: {}}
    keys, peer = _keys(meta), parse_peer(entry)
    return await (_query if do == "query" else _retrieve)(keys, meta["PACS"], peer, context)


async def _query(on: Mapping[str, Any], pacs: str, peer: Peer, context: Context) -> Reply:
    tags = parse_report_tags(on.get("reportTags"))
    query = parse_query(on, also_ask=tags.keywords)
    studies = await context.pacs.find(peer, query)
    retrieved = await _retrieve_all(studies, pacs, context) if _is_true(on.get("retrieve")) else None
    program = _program(context.tree, "findscu")
    return {
        "status": bool(studies),
        "query": {
            "status": "success",
            "command": find_command(program, query.study_keys(), peer),
            "data": [study_json(study, _series_command(program, query, study, peer)) for study in studies],
            "report": make_report(studies, tags, retrieved),
        },
    }


def _series_command(program: str, query: Query, study: StudyMatch, peer: Peer) -> str:
    return find_command(program, query.series_keys(study.attributes["StudyInstanceUID"]), peer)


async def _retrieve_all(studies: list[StudyMatch], pacs: str, context: Context) -> dict[str, bool]:
    """Retrieve every series that was found, a job for each study. Returns: SeriesInstanceUID -> whether it is here."""
    retrieved: dict[str, bool] = {}
    requests = []
    for study in studies:
        study_uid = parse_uid(study.attributes["StudyInstanceUID"], "StudyInstanceUID")
        wanted = []
        for series in study.series:
            answered_uid = series["SeriesInstanceUID"]
            retrieved[answered_uid] = False
            with suppress(ParameterFault):
                wanted.append(parse_uid(answered_uid, "SeriesInstanceUID"))
        if wanted:
            requests.append(RetrieveRequest(pacs, study_uid, tuple(wanted)))
    for job, _ in await asyncio.gather(*map(context.jobs.retrieve, requests)):
        retrieved |= {series.series: series.state is JobState.COMPLETE for series in job.series}
    return retrieved


async def _retrieve(on: Mapping[str, Any], pacs: str, peer: Peer, context: Context) -> Reply:
    series_uid = parse_uid(on.get("SeriesInstanceUID") or series_uid_of(on), "SeriesInstanceUID")
    study = on.get("StudyInstanceUID")
    study_uid = parse_uid(study, "StudyInstanceUID") if study not in (None, "") else None
    _, outcome = await context.jobs.retrieve(RetrieveRequest(pacs, study_uid, (series_uid,)))
    return {
        "status": outcome.is_success,
        "retrieve": {
            "status": "success" if outcome.is_success else "error",
            "data": [] if outcome.is_success else outcome.error,
            "command": move_command(_program(context.tree, "movescu"), outcome.study_uid, series_uid, peer),
            "returncode": outcome.returncode,
        },
    }


def _pacs_entry(tree: Tree, name: object) -> object:
    """The entry of that name: one key below /PACS, never a path, whatever characters it has."""
    entries = tree.get("/PACS")
    if isinstance(name, str) and isinstance(entries, Mapping) and name in entries:
        return entries[name]
    raise ParameterFault(INVALID_PACS)


def _program(tree: Tree, name: str) -> str:
    path = tree.get(f"/bin/{name}")
    return path if isinstance(path, str) and path else name


def _keys(meta: Meta) -> Mapping[str, Any]:
    on = meta.get("on")
    if not isinstance(on, Mapping):
        raise ParameterFault('"on" must be a dictionary with the keys to match.')
    return on


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")
