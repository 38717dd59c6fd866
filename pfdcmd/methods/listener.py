"""listener.*: the services that receive images, as configured and as they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.actions.context import Context
from pfdcmd.actions.listeners import set_listeners
from pfdcmd.errors import ParameterFault, ServiceFault, ServiceFileFault, StorageFault, SupervisorFault
from pfdcmd.methods.method import Example, Method, Run
from pfdcmd.methods.schemas import COUNT, SERVICE, TEXT, TEXTS, limit_schema, list_schema, record_schema
from pfdcmd.service.listing import CONFIGURATION_KEY

Params = Mapping[str, Any]

_DISABLE = "disable"
_MOST_LINES = 1000

_SERVICE = record_schema(
    {
        "service": TEXT,
        "state": TEXT,
        "pids": list_schema(COUNT),
        "address": TEXT,
        "port": TEXT,
        "associations_open": COUNT,
        "associations_total": COUNT,
        "images": COUNT,
        "bytes": COUNT,
        "refused": {"type": "object"},
        "last_error": TEXT,
        "draining": COUNT,
        "file": TEXT,
        CONFIGURATION_KEY: {**TEXTS, "description": "the attributes that its file gives"},
    }
)
_RELOAD = record_schema(
    {
        **{side: list_schema(TEXT) for side in ("added", "changed", "removed", "unchanged")},
        "failed": {**TEXTS, "description": "service to reason"},
        "faults": {**TEXTS, "description": "file to reason"},
    },
    what="what a reload of all service files meant",
)
_EXAMPLE = {
    "service": "dicomlistener",
    "state": "RUNNING",
    "pids": [4711, 4712],
    "address": "0.0.0.0",
    "port": "10402",
    "associations_open": 0,
    "associations_total": 12,
    "images": 1480,
    "bytes": 778567680,
    "refused": {},
    "last_error": "",
    "draining": 0,
    "file": "/etc/xinetd.d/dicomlistener",
    CONFIGURATION_KEY: {"socket_type": "stream", "port": "10402"},
}
_ALONE = {"service": "dicomlistener"}


def _shown(name: str, context: Context) -> dict[str, Any]:
    """One service. Raises: ParameterFault: there is none of that name."""
    listing = context.listeners.listing()
    if name.startswith(".") or name not in listing:
        raise ParameterFault("There is no such service; listener.list tells those there are.", parameter="service")
    return {"service": name, **listing[name]}


async def _list(_params: Params, context: Context, _caller: Caller) -> list[dict[str, Any]]:
    return [_shown(name, context) for name in context.listeners.listing() if not name.startswith(".")]


async def _get(params: Params, context: Context, _caller: Caller) -> dict[str, Any]:
    return _shown(params["service"], context)


async def _apply(params: Params, context: Context, _caller: Caller) -> dict[str, Any]:
    if ("service" in params) != ("attributes" in params):
        raise ParameterFault("Give service and attributes, or neither.", parameter="attributes")
    if "service" not in params:
        return await _reload(context)
    await set_listeners((params["service"],), params["attributes"], context)
    return _shown(params["service"], context)


async def _reload(context: Context) -> dict[str, Any]:
    async with context.listeners.exclusive():
        meant = (await context.listeners.reload()).difference
    return {
        "added": list(meant.added),
        "changed": list(meant.changed),
        "removed": list(meant.removed),
        "unchanged": list(meant.unchanged),
        "failed": dict(meant.failed),
        "faults": dict(meant.faults),
    }


def _switch(word: str) -> Run:
    """Say in the service's file whether it is disabled, and carry that out."""

    async def run(params: Params, context: Context, _caller: Caller) -> dict[str, Any]:
        name = params["service"]
        _shown(name, context)
        async with context.listeners.exclusive():
            await context.listeners.change(name, {_DISABLE: [word]})
        return _shown(name, context)

    return run


async def _restart(params: Params, context: Context, _caller: Caller) -> dict[str, Any]:
    name = params["service"]
    _shown(name, context)
    async with context.listeners.exclusive():
        reload = await context.listeners.reload(renewed=[name])
    if name in reload.difference.failed:
        raise SupervisorFault(reload.difference.failed[name])
    return _shown(name, context)


async def _drain(params: Params, context: Context, caller: Caller) -> dict[str, Any]:
    await _switch("yes")(params, context, caller)
    if not await context.listeners.drained(params["service"]):
        raise SupervisorFault("Its workers have not ended in time.", parameter="service")
    return _shown(params["service"], context)


async def _log(params: Params, context: Context, _caller: Caller) -> list[str]:
    _shown(params["service"], context)
    return await context.listeners.log(params["service"], params.get("lines", 20))


_ERRORS = (ServiceFault, ServiceFileFault, SupervisorFault, StorageFault)


def _control(name: str, summary: str, run: Run, state: str, right: Right = Right.ADMIN) -> Method:
    return Method(
        name=f"listener.{name}",
        summary=summary,
        right=right,
        run=run,
        params={"service": SERVICE},
        required=("service",),
        result=_SERVICE,
        examples=(Example("the listener", _ALONE, {**_EXAMPLE, "state": state}),),
        errors=_ERRORS,
    )


METHODS = (
    Method(
        name="listener.list",
        summary="Every service: its state, its address, what it has received.",
        right=Right.READ,
        run=_list,
        result=list_schema(_SERVICE),
        examples=(Example("all", {}, [_EXAMPLE]),),
    ),
    Method(
        name="listener.get",
        summary="One service, as listener.list has it.",
        right=Right.READ,
        run=_get,
        params={"service": SERVICE},
        required=("service",),
        result=_SERVICE,
        examples=(Example("the listener", _ALONE, _EXAMPLE),),
    ),
    Method(
        name="listener.apply",
        summary="Set attributes of a service, in its file and in fact; without parameters, read all files anew.",
        right=Right.ADMIN,
        run=_apply,
        params={
            "service": {**SERVICE, "description": "a service; one that is new gets a file of its own"},
            "attributes": {
                "type": "object",
                "minProperties": 1,
                "description": "attribute to text, number, boolean or list as a service file has them; null takes one "
                "away",
            },
        },
        result={"oneOf": [_SERVICE, _RELOAD]},
        examples=(
            Example("more workers", {"service": "dicomlistener", "attributes": {"workers": 3}}, _EXAMPLE),
            Example(
                "all files anew",
                {},
                {
                    "added": [],
                    "changed": [],
                    "removed": [],
                    "unchanged": ["dicomlistener"],
                    "failed": {},
                    "faults": {},
                },
            ),
        ),
        errors=_ERRORS,
    ),
    _control(
        "restart", "Give a service new workers; who is sending now may finish.", _restart, "RUNNING", Right.OPERATE
    ),
    Method(
        name="listener.log",
        summary="The last lines of listen.run.log in its log_dir that are of this service, one an association.",
        right=Right.READ,
        run=_log,
        params={"service": SERVICE, "lines": {**limit_schema(20, _MOST_LINES, "lines")}},
        required=("service",),
        result=list_schema(TEXT),
        examples=(
            Example(
                "the last one",
                {"service": "dicomlistener", "lines": 1},
                [
                    '2026-11-22T11:42:24 service=dicomlistener peer=10.0.0.7 calling="CT01" called="CHIPS" images=12 '
                    'bytes=6316032 refused=0 outcome="released"'
                ],
            ),
        ),
        errors=(ServiceFault,),
    ),
    _control(
        "stop", "Disable a service: it takes nothing new, and who is sending may finish.", _switch("yes"), "STOPPING"
    ),
    _control("start", "Enable a service; returns once it serves.", _switch("no"), "RUNNING"),
    _control("drain", "Disable a service, and return when nobody is sending to it any more.", _drain, "DISABLED"),
)
