"""What callers may do with the data tree, whichever dialect they speak.

/listeners is shown in the tree and not kept there: see actions.listeners.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfdcmd.actions.context import Context
from pfdcmd.actions.listeners import LISTENERS, get_listeners, set_listeners
from pfdcmd.errors import ParameterFault
from pfdcmd.tree.node import freeze
from pfdcmd.tree.path import parse_path
from pfdcmd.tree.secrets import conceal, keep_hidden
from pfdcmd.tree.store import MISSING, Missing, Tree

FROM_ENVIRONMENT = "ENV"


def look_up(path: str, context: Context) -> Any:
    """The directory or leaf at the path, of the tree or of the listeners, secrets hidden, or MISSING."""
    keys = parse_path(path)
    if keys[:1] == (LISTENERS,):
        try:
            return get_listeners(keys[1:], context)
        except KeyError:
            return MISSING
    node = context.tree.get(path)
    if isinstance(node, Missing):
        return node
    node = conceal(node, keys)
    if not keys and isinstance(node, Mapping) and (listing := context.listeners.listing()):
        return {**node, LISTENERS: listing}
    return node


async def set_value(path: str, value: Any, context: Context) -> Any:
    """Put a value at the path; a dictionary is merged below it, its siblings stay. What comes back hidden stays, too.

    Returns: the value as it may be shown.
    Raises: ParameterFault: it is no setting of a listener.
            TreeFault, TreeTooLarge, ServiceFault, StorageFault: the tree, or a listener, cannot be changed so.
    """
    keys = parse_path(path)
    if keys[:1] == (LISTENERS,):
        await set_listeners(keys[1:], value, context)
        return value
    before = context.tree.get(path)
    kept = keep_hidden(value, None if isinstance(before, Missing) else before, keys)
    if isinstance(kept, dict):
        if not keys and LISTENERS in kept:
            raise ParameterFault("Listeners are set one at a time, as /listeners/NAME.")
        context.tree.merge(path, kept)
    else:
        context.tree.set(path, kept)
    node = freeze(value)
    shown = conceal(node, keys)
    return value if shown is node else shown


def delete_value(path: str, context: Context) -> None:
    """Take away what is at the path.

    Raises: PathNotFound: nothing is. TreeFault: it is the root. ParameterFault: it is a listener.
    """
    if parse_path(path)[:1] == (LISTENERS,):
        raise ParameterFault("A listener is not deleted: stop it, and take its service file away.")
    context.tree.delete(path)


def replace_value(old: Any, new: Any, context: Context) -> list[str]:
    """Give every leaf that equals old the value new; "ENV" is what the environment has under old's name, without "%".

    Returns: the paths of those leaves. Raises: TreeFault, TreeTooLarge: as set_value.
    """
    if new == FROM_ENVIRONMENT and isinstance(old, str):
        # to callers a variable that is not for them is one that is not set: the environment holds passwords
        names = context.settings.environment_names.replace(",", " ").split()
        environ = {name: context.environ[name] for name in names if name in context.environ}
        return replace_from_environment(context.tree, old, environ)
    return context.tree.replace_value(old, new)


def replace_from_environment(tree: Tree, value: str, environ: Mapping[str, str]) -> list[str]:
    """Give every leaf that equals value ("%HOST_IP") what the environment has under that name, without the "%".

    Returns: the paths of those leaves; none when the environment lacks the variable.
    """
    name = value.removeprefix("%")
    return tree.replace_value(value, environ[name]) if name in environ else []
