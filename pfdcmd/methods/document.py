"""`python -m pfdcmd.methods.document`: docs/api.md, written from the OpenRPC document to standard output.

A test compares the two, so the page never tells of other methods than there are.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from pfdcmd.methods.openrpc import openrpc_document
from pfdcmd.methods.table import METHODS

_PREFACE = """\
<!-- written by `python -m pfdcmd.methods.document`; change pfdcmd/methods, not this page -->
# JSON-RPC methods

Calls are JSON-RPC 2.0, POSTed to `/rpc` with `Content-Type: application/json`:
```
curl -H 'Content-Type: application/json' http://127.0.0.1:4055/rpc -d '{METHOD}'
```
`GET /rpc` upgrades to a WebSocket, where the same methods and the notifications are. The same page for machines:
`GET /openrpc.json`, or the method `rpc.discover`.

- Parameters are given by name or by position, in the order below. They are checked before anything is done.
- The members of a batch are done one after the other, in their order. A notification is done and not answered.
- The right that a method needs: `read` looks, `operate` moves images, `admin` changes what pfdcm is. Without
  `--enableTokenAuth` every caller may do everything.

| HTTP status | when |
|---|---|
| 200 | there is an answer in JSON-RPC's words, an error included |
| 204 | there is nothing to answer: notifications alone |
| 400, 413, 415 | the body broke off, is too large, or is not called JSON; the answer is a JSON-RPC error all the same |
| 401, 403, 429 | the caller is not let in |
| 503 | pfdcm is ending |

| error code | what |
|---|---|
| -32700 | the text is not JSON |
| -32600 | the JSON is no request; `data.reason` says which of our limits it passes |
| -32601 | there is no such method |
| -32602 | a parameter is missing or cannot be used: `data` has `parameter`, `reason` and `do` |
| -32603 | something unexpected: `data.reference` is in the log too |
| 1 to 99 | the message, 1xx the tree, 2xx a PACS, 3xx a listener service, 4xx files, 5xx access |

The `data` of every error from 1 on: `fault` (its name), `number` (as the code), `do` (what to do about it) and, where
it is one's, `parameter`.
"""
_CALL = {"jsonrpc": "2.0", "method": "tree.get", "params": {"path": "/xinetd/servicePort"}, "id": 1}


def format_document(document: Mapping[str, Any]) -> str:
    """The page, Markdown."""
    parts = [_PREFACE.replace("{METHOD}", json.dumps(_CALL)), _contents(document["methods"])]
    parts += [_format_method(method) for method in document["methods"]]
    return "\n".join(parts)


def _contents(methods: Iterable[Mapping[str, Any]]) -> str:
    rows = [f"| [`{each['name']}`](#{_anchor(each['name'])}) | {each['x-right'].lower()} | {each['summary']} |"
            for each in methods]  # fmt: skip
    return "\n".join(["| method | right | what |", "|---|---|---|", *rows, ""])


def _format_method(method: Mapping[str, Any]) -> str:
    lines = [f"## {method['name']}", "", f"{method['summary']} Right: `{method['x-right'].lower()}`.", ""]
    if method["params"]:
        lines += ["| parameter | type | |", "|---|---|---|", *map(_format_parameter, method["params"]), ""]
    lines += [f"Returns {_type(method['result']['schema'])}{_described(method['result']['schema'])}.", ""]
    faults = [f"{each['code']} {each['data']['fault']}" for each in method["errors"] if "data" in each]
    if faults:
        lines += [f"Faults: {', '.join(faults)}.", ""]
    for example in method["examples"]:
        lines += _format_example(method["name"], example)
    return "\n".join(lines)


def _format_parameter(parameter: Mapping[str, Any]) -> str:
    schema = parameter["schema"]
    default = f"; default `{json.dumps(schema['default'])}`" if "default" in schema else ""
    need = "" if parameter["required"] else " (may be left out)"
    return f"| `{parameter['name']}` | {_type(schema)} | {parameter['summary']}{default}{need} |"


def _format_example(name: str, example: Mapping[str, Any]) -> list[str]:
    params = {each["name"]: each["value"] for each in example["params"]}
    request = {"jsonrpc": "2.0", "method": name, "params": params, "id": 1}
    response = {"jsonrpc": "2.0", "result": example["result"]["value"], "id": 1}
    return [f"Example: {example['name']}", "```", json.dumps(request), json.dumps(response, indent=1), "```", ""]


def _type(schema: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    if "oneOf" in schema:
        return " or ".join(map(_type, schema["oneOf"]))
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(each)}`" for each in schema["enum"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    kind = schema.get("type", "any value")
    if isinstance(kind, list):
        return " or ".join(kind)
    if kind == "array":
        return f"array of {_type(schema.get('items', {}))}"
    if kind == "object" and schema.get("properties"):
        return "object {" + ", ".join(schema["properties"]) + "}"
    return str(kind)


def _described(schema: Mapping[str, Any]) -> str:
    return f": {schema['description']}" if "description" in schema else ""


def _anchor(name: str) -> str:
    """As the usual renderers make it of a heading."""
    return name.lower().replace(".", "")


def main() -> int:
    """Write docs/api.md to standard output. Returns: the exit status."""
    sys.stdout.write(format_document(openrpc_document(METHODS.values())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
