"""The branch /listeners of the data tree: what is live, read from memory; what is set is a change of configuration.

It is no part of the tree that is saved: the service files are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pfdcmd.actions.context import Context
from pfdcmd.errors import ParameterFault
from pfdcmd.service.attributes import ATTRIBUTES
from pfdcmd.service.listing import CONFIGURATION_KEY

LISTENERS = "listeners"

_MAX_VALUE_CHARACTERS = 16_384


def get_listeners(keys: Sequence[str], context: Context) -> Any:
    """What is at /listeners/<keys>. Raises: KeyError: nothing is."""
    node: Any = context.listeners.listing()
    if not node:
        raise KeyError(LISTENERS)
    for key in keys:
        if not isinstance(node, Mapping):
            raise KeyError(key)
        node = node[key]
    return node


async def set_listeners(keys: Sequence[str], value: Any, context: Context) -> None:
    """Change one service, whole or not at all.

    `/listeners/NAME` takes a dictionary of attributes, `/listeners/NAME/ATTRIBUTE` a value; `configuration` may stand
    after NAME, as where they are read. A value is text as in a service file, a number, a boolean (yes, no) or a list;
    null takes the attribute away.

    Raises: ParameterFault: it is no attribute, or not such a value. ServiceFault, StorageFault: why it cannot be so.
    """
    if not keys:
        raise ParameterFault("Set one service at a time, as /listeners/NAME or /listeners/NAME/ATTRIBUTE.")
    name, *rest = keys
    if rest and rest[0] == CONFIGURATION_KEY:
        rest = rest[1:]
    if not rest:
        changes = _changes(value)
    elif len(rest) == 1:
        changes = _changes({rest[0]: value})
    else:
        raise ParameterFault("An attribute of a listener is a value, not a directory.")
    paths = [path for key, words in changes.items() for path in _paths(key, words or ())]
    if paths:
        await context.files.check_paths(paths)
    async with context.listeners.exclusive():
        await context.listeners.change(name, changes)


def _changes(value: Any) -> dict[str, list[str] | None]:
    if not isinstance(value, dict):
        raise ParameterFault("A listener is set by a dictionary of its attributes.")
    value = {**value, **_nested(value)}
    value.pop(CONFIGURATION_KEY, None)
    if not value:
        raise ParameterFault("There is nothing to set.")
    for key in value:
        if key not in ATTRIBUTES:
            raise ParameterFault(f"A service has no attribute {str(key)[:64]!r}; what is live cannot be set.")
    return {key: _words(key, item) for key, item in value.items()}


def _paths(key: str, words: Sequence[str]) -> list[str]:
    """The files and directories that the words name; an option of server_args may stand before one."""
    if key == "server_args":
        return [word[word.index("/") :] for word in words if "/" in word]
    return [word for word in words if word.startswith("/")]


def _nested(value: Mapping[str, Any]) -> Mapping[str, Any]:
    nested = value.get(CONFIGURATION_KEY, {})
    if not isinstance(nested, dict):
        raise ParameterFault("A listener's configuration is a dictionary of its attributes.")
    return nested


def _words(key: str, value: Any) -> list[str] | None:
    """The words of a service file that say the value."""
    if value is None:
        return None
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    if isinstance(value, int | float):
        return [str(value)]
    if isinstance(value, list) and all(isinstance(item, str | int) and not isinstance(item, bool) for item in value):
        value = " ".join(map(str, value))
    if not isinstance(value, str) or len(value) > _MAX_VALUE_CHARACTERS:
        raise ParameterFault(f"{key} must be text, a number, a boolean or a list, of moderate length.")
    return value.split()
