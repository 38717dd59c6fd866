"""The OpenRPC document of the methods: what rpc.discover and GET /openrpc.json give, and docs/api.md is made from.

Source: OpenRPC Specification 1.3.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jsonrpcserver.codes import ERROR_INVALID_PARAMS

from pfdcmd import __version__
from pfdcmd.actions.caller import Right
from pfdcmd.errors import AccessRefused, Fault
from pfdcmd.methods.method import Example, Method

OPENRPC_VERSION = "1.3.2"

DESCRIPTION = """\
JSON-RPC 2.0 by POST to /rpc, Content-Type application/json: single calls, notifications and batches, whose members are
done in their order. The error of a fault has its number as code (1xx the tree, 2xx a PACS, 3xx a listener service, 4xx
files, 5xx access) and as data fault, number, do (what to do about it) and, where it is one's, parameter."""


def openrpc_document(methods: Iterable[Method]) -> dict[str, Any]:
    """The document, as JSON."""
    return {
        "openrpc": OPENRPC_VERSION,
        "info": {
            "title": "pfdcm",
            "version": __version__,
            "description": DESCRIPTION,
            "license": {"name": "MIT"},
        },
        "methods": [_describe(method) for method in methods],
    }


def _describe(method: Method) -> dict[str, Any]:
    return {
        "name": method.name,
        "summary": method.summary,
        "tags": [{"name": method.name.partition(".")[0] if "." in method.name else "old dialect"}],
        "paramStructure": "by-name" if method.is_open else "either",
        "params": [
            {
                "name": name,
                "summary": schema.get("description", ""),
                "required": name in method.required,
                "schema": dict(schema),
            }
            for name, schema in method.params.items()
        ],
        "result": {"name": "result", "schema": dict(method.result)},
        "errors": _errors(method),
        "examples": [_example(example) for example in method.examples],
        "x-right": method.right.name,
    }


def _errors(method: Method) -> list[dict[str, Any]]:
    """One entry a code, as the specification wants."""
    faults: list[type[Fault]] = [*method.errors]
    if method.right > Right.READ:
        faults.append(AccessRefused)
    errors = [{"code": ERROR_INVALID_PARAMS, "message": "Invalid params"}] if method.params else []
    errors += [
        {
            "code": fault.number,
            "message": (fault.__doc__ or "").strip(),
            "data": {"fault": fault.__name__, "number": fault.number, "do": fault.do},
        }
        for fault in dict.fromkeys(faults)
    ]
    return errors


def _example(example: Example) -> dict[str, Any]:
    return {
        "name": example.name,
        "params": [{"name": name, "value": value} for name, value in example.params.items()],
        "result": {"name": "result", "value": example.result},
    }
