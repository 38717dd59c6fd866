"""The action internalctl: read and change the data tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfdcmd.actions.context import Context, Meta, Reply
from pfdcmd.actions.datatree import look_up, replace_value, set_value
from pfdcmd.errors import ParameterFault
from pfdcmd.tree.path import parse_path
from pfdcmd.tree.store import MISSING


async def internalctl(meta: Meta, context: Context) -> Reply:
    """{"var": path, "get": ...}, {"var": path, "set": value} or {"var": value, "valueReplace": value | "ENV"}.

    When several are given, set is done before valueReplace, and the reply is that of the last of get, set and
    valueReplace, as in the original. With none of them status is false.

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


def _get(context: Context, var: str) -> Reply:
    """The tree from the root down to a directory; a leaf under the path as sent; false where there is nothing."""
    keys = parse_path(var)
    node = look_up(var, context)
    if isinstance(node, Mapping):
        branch: Mapping[str, Any] = node
        for key in reversed(keys):
            branch = {key: branch}
        return dict(branch)
    return {var: False if node is MISSING else node}


async def _set(context: Context, var: str, value: Any) -> Reply:
    shown = await set_value(var, value, context)
    return dict(shown) if isinstance(shown, Mapping) else {var: shown}


def _replace(context: Context, var: str, value: Any) -> Reply:
    paths = replace_value(var, value, context)
    return {"status": True, "l_fileChanged": paths, "hits": len(paths)}
