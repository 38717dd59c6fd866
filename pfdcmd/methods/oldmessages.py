"""The old dialect's messages as methods: the action's name, and its `meta` as parameters.

They answer as they do in the old dialect, their `status` included; but a fault is a JSON-RPC error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.actions.context import Action, Context
from pfdcmd.actions.rights import check_right
from pfdcmd.dispatch import ACTIONS
from pfdcmd.methods.method import Example, Method
from pfdcmd.methods.schemas import record_schema
from pfdcmd.wire.pfdialect import Call

_EXAMPLES: Mapping[str, Example] = {
    "hello": Example(
        "echo",
        {"askAbout": "echoBack", "echoBack": "Hi"},
        {"d_ret": {"name": "pfdcm", "version": "", "echoBack": {"msg": "Hi"}}, "status": True},
    ),
    "internalctl": Example(
        "the listener's port",
        {"var": "/xinetd/servicePort", "get": "value"},
        {"d_ret": {"/xinetd/servicePort": "10402"}, "status": True},
    ),
}


def _method(name: str, action: Action) -> Method:
    async def run(params: Mapping[str, Any], context: Context, caller: Caller) -> Any:
        check_right(Call(name, params), caller)
        return await action(params, context)

    return Method(
        name=name,
        summary=f"The message {name} of the old dialect, with its meta as parameters; docs/wire.md tells of them.",
        # a message that only looks needs READ; of each one more is asked when it does more
        right=Right.READ,
        run=run,
        result=record_schema({"status": {"type": "boolean"}}),
        examples=(_EXAMPLES[name],) if name in _EXAMPLES else (),
        is_open=True,
    )


METHODS = tuple(_method(name, action) for name, action in ACTIONS.items())
