"""The action internalctl: read and change the data tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfdcmd.actions.context import Context, Meta, Reply
from pfdcmd.actions.listeners import LISTENERS, get_listeners, set_listeners
from pfdcmd.errors import ParameterFault
from pfdcmd.tree.path import parse_path
from pfdcmd.tree.store import MISSING, Tree

FROM_ENVIRONMENT = "ENV"


async def internalctl(meta: Meta, context: Context) -> Reply:
    """{"var": path, "get": ...}, {"var": path, "set": value} or {"var": value, "valueReplace": value | "ENV"}.

    When several are given, set is done before valueReplace, and the reply is that of the last of get, set and
    valueReplace, as in the original. With none of them status is false.

    /listeners is not kept in the tree: see actions.listeners.

    Raises: ParameterFault: no var, or one that is not text.
            TreeFault, TreeTooLarge, ServiceFault: the tree, or a listener, cannot be changed so.
    """
    var = meta.get("var")
    if not isinstance(var, str):
        raise ParameterFault('"var" is missing or not text: a path in the data tree, or the value to replace.')
    answer: Reply | None = None
    if "get" in meta:
        answer = _get(context, var)
    if "set" in meta:
        answer = await _set(context, var, meta["set"])
    if "valueReplace" in meta:
        answer = _replace(context, var, meta["valueReplace"])
    return {"d_ret": {}, "status": False} if answer is None else {"d_ret": answer, "status": True}


def replace_from_environment(tree: Tree, value: str, environ: Mapping[str, str]) -> list[str]:
    """Give every leaf that equals value ("%HOST_IP") what the environment has under that name, without the "%".

    Returns: the paths of those leaves; none when the environment lacks the variable.
    """
    name = value.removeprefix("%")
    return tree.replace_value(value, environ[name]) if name in environ else []


def _get(context: Context, var: str) -> Reply:
    """The tree from the root down to a directory; a leaf under the path as sent; false where there is nothing."""
    keys = parse_path(var)
    node = _look_up(context, keys, var)
    if isinstance(node, Mapping):
        branch: Mapping[str, Any] = node
        for key in reversed(keys):
            branch = {key: branch}
        return dict(branch)
    return {var: False if node is MISSING else node}


def _look_up(context: Context, keys: tuple[str, ...], var: str) -> Any:
    """What is at the path: of the tree, and, beside it, of the listeners."""
    if keys[:1] == (LISTENERS,):
        try:
            return get_listeners(keys[1:], context)
        except KeyError:
            return MISSING
    node = context.tree.get(var)
    if not keys and isinstance(node, Mapping) and (listing := context.listeners.listing()):
        return {**node, LISTENERS: listing}
    return node


async def _set(context: Context, var: str, value: Any) -> Reply:
    keys = parse_path(var)
    if keys[:1] == (LISTENERS,):
        await set_listeners(keys[1:], value, context)
    elif isinstance(value, dict):
        if not keys and LISTENERS in value:
            raise ParameterFault("Listeners are set one at a time, as /listeners/NAME.")
        context.tree.merge(var, value)
    else:
        context.tree.set(var, value)
    return value if isinstance(value, dict) else {var: value}


def _replace(context: Context, var: str, value: Any) -> Reply:
    if value == FROM_ENVIRONMENT:
        paths = replace_from_environment(context.tree, var, context.environ)
    else:
        paths = context.tree.replace_value(var, value)
    return {"status": True, "l_fileChanged": paths, "hits": len(paths)}
