"""The table of all methods: readers start here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.actions.context import Context
from pfdcmd.methods import diagnose, events, files, listener, oldmessages, pacs, retrieve, system, tree
from pfdcmd.methods.method import Method
from pfdcmd.methods.openrpc import openrpc_document
from pfdcmd.methods.schemas import record_schema


async def _discover(_params: Mapping[str, Any], _context: Context, _caller: Caller) -> dict[str, Any]:
    return openrpc_document(METHODS.values())


_DISCOVER = Method(
    name="rpc.discover",
    summary="This very document: every method with its parameters, result, errors and examples, as OpenRPC has it.",
    right=Right.READ,
    run=_discover,
    result=record_schema({"openrpc": {"type": "string"}, "info": {"type": "object"}, "methods": {"type": "array"}}),
)

METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        *tree.METHODS,
        *pacs.METHODS,
        *diagnose.METHODS,
        *retrieve.METHODS,
        *files.METHODS,
        *listener.METHODS,
        *system.METHODS,
        *events.METHODS,
        *oldmessages.METHODS,
        _DISCOVER,
    )
}
"""Name -> method."""
