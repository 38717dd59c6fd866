"""What the audit says of a message: what was asked for, and of which PACS, path and UIDs; nothing else of it.

A caller chooses every text in a message, and a patient's name may be any of them. So only what has a form of its own is
taken over: words from our own tables, names of PACS entries that there are, UIDs, keywords of keys, as much of a path
of the data tree as is there, and the directory of a copy: where images go must be known afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pfdcmd.actions.context import Context, Meta
from pfdcmd.errors import ParameterFault
from pfdcmd.names import Uid, parse_uid
from pfdcmd.pacs.keys import RETURN_KEYS
from pfdcmd.tree.path import format_path, parse_path
from pfdcmd.wire.pfdialect import Call

DONE, FAILED, REFUSED = "done", "failed", "refused"
"""What comes of a call."""

UNHEARD = frozenset(
    {"hello", "get", "tree.get", "tree.list", "system.hello", "system.health", "system.describe", "rpc.discover"}
)
"""Asked by every probe and page, of settings and not of anybody's images: only a refusal is worth a line."""

_UID_KEYS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "series_uid", "study_uid")
_PACS_DO = ("query", "retrieve", "retrieveStatus")
_XINETD = (("file", "service"), ("create", "install", "mkdirs", "restart", "everything"))
_MAX_PATH_CHARACTERS = 200
_MAX_UIDS = 100
_JOB = re.compile(r"[0-9a-f-]{1,64}", re.ASCII)
"""What a job is called (edge.retrieve.jobs)."""


@dataclass
class Entry:
    """A line of the audit while the call is being done."""

    outcome: str = FAILED
    details: dict[str, Any] = field(default_factory=dict)


def audited(call: Call, context: Context) -> tuple[str, dict[str, Any]]:
    """What was asked for, in a word or a few, and the details: pacs, keys, uids, path, as far as there are any."""
    meta = call.meta
    match call.action:
        case "internalctl":
            return _internalctl(meta, context)
        case "xinetd":
            words = [str(meta.get(key)) for key, known in zip(("object", "do"), _XINETD, strict=True)
                     if meta.get(key) in known]  # fmt: skip
            return " ".join(["xinetd", *words]), {}
        case "PACSinteract":
            do = next((known for known in _PACS_DO if meta.get("do") == known), "PACSinteract")
            return do, {**_pacs(meta, context), **_keys(meta)}
        case "internalDB":
            do = next((known for known in ("DICOMtagsGet", "copy") if meta.get("do") == known), "internalDB")
            return do, {**_keys(meta), **_path(_mapping(meta, "to").get("path"))}
        case "serverctl":
            return ("quit" if _mapping(meta, "ctl").get("serverCmd") == "quit" else "serverctl"), {}
        case "hello" | "ls" | "objPull" | "objPut":
            return call.action, {}
        case _:
            return "unknown action", {}


def audited_params(method: str, params: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """The details of a method's parameters: what has the same form in the methods, and no text that is free."""
    details: dict[str, Any] = {}
    if "pacs" in params:
        details |= _pacs({"PACS": params["pacs"]}, context)
    uids = [
        uid
        for key in ("study", "series")
        if key in params
        for value in _listed(params[key])
        if (uid := _uid(value)) is not None
    ]
    keys = params.get("keys")
    if isinstance(keys, Mapping):
        asked = _keys({"on": keys})
        uids += asked.pop("uids", [])
        details |= asked
    if uids:
        details["uids"] = sorted(set(uids))[:_MAX_UIDS]
    if "path" in params:
        path = params["path"]
        is_tree = isinstance(path, str) and method != "files.copy"
        details |= {"path": known_part(path, context)} if is_tree else _path(path)
    if isinstance(params.get("service"), str) and params["service"] in context.listeners.listing():
        details["service"] = params["service"]
    if isinstance(params.get("job"), str) and _JOB.fullmatch(params["job"]):
        details["job"] = params["job"]
    return details


def _listed(value: object) -> list[object]:
    """One or several."""
    return value if isinstance(value, list) else [value]


def _internalctl(meta: Meta, context: Context) -> tuple[str, dict[str, Any]]:
    """Of valueReplace the var is a value and not a path."""
    words = [word for word in ("get", "set", "valueReplace") if word in meta]
    var = meta.get("var")
    is_path = isinstance(var, str) and "valueReplace" not in meta
    return " ".join(words) or "internalctl", {"path": known_part(str(var), context)} if is_path else {}


def known_part(path: str, context: Context) -> str:
    """The path as far as the tree has it, and `...` for the rest."""
    known: list[str] = []
    node: object = context.tree.snapshot().root
    for key in parse_path(path):
        if not isinstance(node, Mapping) or key not in node:
            return format_path((*known, "..."))
        known.append(key)
        node = node[key]
    return format_path(known)


def _pacs(meta: Meta, context: Context) -> dict[str, Any]:
    entries, name = context.tree.get("/PACS"), meta.get("PACS")
    is_known = isinstance(name, str) and isinstance(entries, Mapping) and name in entries
    return {"pacs": name if is_known else "unknown"}


def _keys(meta: Meta) -> dict[str, Any]:
    """The keywords that were asked by, and the UIDs among their values."""
    on = _mapping(meta, "on")
    uids = sorted({uid for key in _UID_KEYS if key in on and (uid := _uid(on[key])) is not None})
    keywords = sorted(key for key in on if key in RETURN_KEYS or key in _UID_KEYS)
    return {**({"keys": keywords} if keywords else {}), **({"uids": uids} if uids else {})}


def _path(path: object) -> dict[str, Any]:
    return {"path": path[:_MAX_PATH_CHARACTERS]} if isinstance(path, str) else {}


def _uid(value: object) -> Uid | None:
    try:
        return parse_uid(value, "uid")
    except ParameterFault:
        return None


def _mapping(meta: Meta, key: str) -> Mapping[str, Any]:
    value = meta.get(key)
    return value if isinstance(value, Mapping) else {}
