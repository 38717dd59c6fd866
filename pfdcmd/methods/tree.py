"""tree.*: the data tree, read and changed as internalctl does it (actions.datatree)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfdcmd.actions.caller import Caller, Right
from pfdcmd.actions.context import Context
from pfdcmd.actions.datatree import delete_value, look_up, replace_value, set_value
from pfdcmd.errors import PathNotFound, ServiceFault, StorageFault, TreeFault, TreeTooLarge
from pfdcmd.methods.method import Example, Method
from pfdcmd.methods.schemas import PATH, TEXT, VALUE, list_schema, record_schema
from pfdcmd.tree.store import MISSING

Params = Mapping[str, Any]


async def _get(params: Params, context: Context, _caller: Caller) -> Any:
    node = look_up(params["path"], context)
    if node is MISSING:
        raise PathNotFound(parameter="path")
    return node


async def _set(params: Params, context: Context, _caller: Caller) -> Any:
    return await set_value(params["path"], params["value"], context)


async def _delete(params: Params, context: Context, _caller: Caller) -> None:
    delete_value(params["path"], context)


async def _list(params: Params, context: Context, caller: Caller) -> list[dict[str, Any]]:
    node = await _get({"path": params.get("path", "/")}, context, caller)
    if not isinstance(node, Mapping):
        raise TreeFault("There is a value at this path, not a directory; tree.get tells it.", parameter="path")
    return [{"name": name, "is_directory": isinstance(item, Mapping)} for name, item in node.items()]


async def _replace(params: Params, context: Context, _caller: Caller) -> list[str]:
    return replace_value(params["old"], params["new"], context)


METHODS = (
    Method(
        name="tree.get",
        summary="The value or the directory at a path, itself.",
        right=Right.READ,
        run=_get,
        params={"path": PATH},
        required=("path",),
        result=VALUE,
        examples=(
            Example("the listener's port", {"path": "/xinetd/servicePort"}, "10402"),
            Example(
                "a directory",
                {"path": "/PACS/help"},
                {
                    "aet": "AETITLE",
                    "aet_listener": "AETITLE_LISTENER",
                    "aec": "CALLEDAETITLE",
                    "server_ip": "127.0.0.1",
                    "server_port": "104",
                },
            ),
        ),
        errors=(PathNotFound,),
    ),
    Method(
        name="tree.set",
        summary="Put a value at a path; a dictionary is merged below it, its siblings stay. Returns the value.",
        right=Right.ADMIN,
        run=_set,
        params={"path": PATH, "value": VALUE},
        required=("path", "value"),
        result=VALUE,
        examples=(Example("a leaf", {"path": "/site/name", "value": "Radiology"}, "Radiology"),),
        errors=(TreeFault, TreeTooLarge, ServiceFault, StorageFault),
    ),
    Method(
        name="tree.list",
        summary="The names in a directory, in their order, and which of them are directories themselves.",
        right=Right.READ,
        run=_list,
        params={"path": {**PATH, "default": "/"}},
        result=list_schema(record_schema({"name": TEXT, "is_directory": {"type": "boolean"}})),
        examples=(Example("what is at /site", {"path": "/site"}, [{"name": "name", "is_directory": False}]),),
        errors=(PathNotFound, TreeFault),
    ),
    Method(
        name="tree.replace",
        summary="Give every leaf that equals old the value new. Returns the paths of those leaves.",
        right=Right.ADMIN,
        run=_replace,
        params={
            "old": {"description": "a value, never a dictionary"},
            "new": {
                "description": 'a value, never a dictionary; "ENV" is what the environment has under the name that old '
                'is, less its "%"'
            },
        },
        required=("old", "new"),
        result=list_schema(TEXT),
        examples=(Example("a renamed site", {"old": "Radiology", "new": "Imaging"}, ["/site/name"]),),
        errors=(TreeFault, TreeTooLarge),
    ),
    Method(
        name="tree.delete",
        summary="Take away what is at a path, a directory with all that is in it.",
        right=Right.ADMIN,
        run=_delete,
        params={"path": PATH},
        required=("path",),
        result={"type": "null"},
        examples=(Example("a directory", {"path": "/site"}, None),),
        errors=(PathNotFound, TreeFault),
    ),
)
