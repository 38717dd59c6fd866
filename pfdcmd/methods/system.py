"""system.*: pfdcm itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfdcmd import __version__
from pfdcmd.actions.caller import Caller, Right
from pfdcmd.actions.context import Context
from pfdcmd.methods.method import Example, Method
from pfdcmd.methods.schemas import COUNT, TEXT, TEXTS, record_schema

Params = Mapping[str, Any]

_LIMITS = (
    "max_body_bytes",
    "max_nesting",
    "max_batch",
    "max_tree_leaves",
    "max_tree_characters",
    "pacs_max_matches",
    "pacs_associations",
)


async def _hello(_params: Params, context: Context, _caller: Caller) -> dict[str, Any]:
    return {
        "name": "pfdcm",
        "version": __version__,
        "now": context.now().astimezone().isoformat(timespec="milliseconds"),
    }


async def _describe(_params: Params, context: Context, caller: Caller) -> dict[str, Any]:
    return {
        "name": "pfdcm",
        "version": __version__,
        "right": caller.right.name,
        "limits": {key: getattr(context.settings, key) for key in _LIMITS},
        "host": await context.host.describe(),
    }


async def _health(_params: Params, context: Context, _caller: Caller) -> dict[str, Any]:
    said = await context.health.judge()
    return {"status": "failing" if any(said.values()) else "ok", "checks": said}


async def _shutdown(_params: Params, context: Context, _caller: Caller) -> dict[str, Any]:
    context.quit()
    return {"is_ending": True}


METHODS = (
    Method(
        name="system.hello",
        summary="Is pfdcm there, which version, and what time does it have.",
        right=Right.READ,
        run=_hello,
        result=record_schema({"name": {"const": "pfdcm"}, "version": TEXT, "now": {"type": "string"}}),
        examples=(Example("hello", {}, {"name": "pfdcm", "version": "2.1.0", "now": "2026-11-22T11:42:24.217+00:00"}),),
    ),
    Method(
        name="system.describe",
        summary="What this pfdcm runs on, the limits that it keeps to, and the caller's right.",
        right=Right.READ,
        run=_describe,
        result=record_schema(
            {
                "name": {"const": "pfdcm"},
                "version": TEXT,
                "right": {"enum": [right.name for right in Right]},
                "limits": record_schema(dict.fromkeys(_LIMITS, COUNT)),
                "host": {"type": "object"},
            }
        ),
        examples=(
            Example(
                "what it is",
                {},
                {
                    "name": "pfdcm",
                    "version": "2.1.0",
                    "right": "ADMIN",
                    "limits": {
                        "max_body_bytes": 4_194_304,
                        "max_nesting": 64,
                        "max_batch": 100,
                        "max_tree_leaves": 100_000,
                        "max_tree_characters": 67_108_864,
                        "pacs_max_matches": 20_000,
                        "pacs_associations": 16,
                    },
                    "host": {"system": "Linux"},
                },
            ),
        ),
    ),
    Method(
        name="system.health",
        summary="Whether pfdcm can do its work: its listeners, their supervisor, its state directory, its saved tree.",
        right=Right.READ,
        run=_health,
        result=record_schema(
            {
                "status": {"enum": ["ok", "failing"]},
                "checks": {**TEXTS, "description": "what is looked at, to what is wrong with it; empty: nothing"},
            }
        ),
        examples=(
            Example(
                "all is well", {}, {"status": "ok", "checks": {"listeners": "", "state_directory": "", "tree": ""}}
            ),
        ),
    ),
    Method(
        name="system.shutdown",
        summary="End pfdcm once this has been answered; the listeners go on.",
        right=Right.ADMIN,
        run=_shutdown,
        result=record_schema({"is_ending": {"const": True}}),
        examples=(Example("end", {}, {"is_ending": True}),),
    ),
)
