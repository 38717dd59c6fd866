"""The tree's nodes: dictionaries are directories, anything else is a leaf; none of them ever changes.

A directory is a read-only view of a dictionary that only this package has seen, and a list is kept as a tuple, so that
a node can be given to any number of readers as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from pfdcmd.errors import TreeFault
from pfdcmd.tree.path import SEPARATOR

Node: TypeAlias = "Mapping[str, Node] | tuple[Node, ...] | str | int | float | bool | None"

MAX_DEPTH = 64
"""Levels of directories and lists; the setting `max_nesting` bounds the messages that set them."""

MAX_KEY_LENGTH = 1024
"""Characters; keys are names, and the longest of DICOM (value representation LO) has 64."""

EMPTY: Mapping[str, Node] = MappingProxyType({})


@dataclass(frozen=True)
class Weight:
    """What a node costs: its directories, leaves and list items, and the characters of its keys and texts."""

    entries: int = 0
    characters: int = 0

    def __add__(self, other: Weight) -> Weight:
        return Weight(self.entries + other.entries, self.characters + other.characters)

    def __sub__(self, other: Weight) -> Weight:
        return Weight(self.entries - other.entries, self.characters - other.characters)


def directory(entries: dict[str, Node]) -> Mapping[str, Node]:
    """A read-only directory of entries; the caller gives the dictionary away and must not change it any more."""
    return MappingProxyType(entries)


def check_key(key: object) -> str:
    """A key of a directory: text, not empty, without a slash, at most MAX_KEY_LENGTH characters. Raises: TreeFault."""
    if not isinstance(key, str):
        raise TreeFault("A key in the data tree must be text.")
    if not key:
        raise TreeFault("A key in the data tree must not be empty.")
    if SEPARATOR in key:
        raise TreeFault("A key in the data tree must not have a '/' in it; set the path instead.")
    if len(key) > MAX_KEY_LENGTH:
        raise TreeFault(f"A key in the data tree is at most {MAX_KEY_LENGTH} characters long.")
    return key


def freeze(value: object, depth: int = 0) -> Node:
    """A node with the value's content, sharing nothing with it that can change; depth is where it will hang.

    Raises: TreeFault: a key that cannot be used, more than MAX_DEPTH levels, or what is not JSON.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if depth >= MAX_DEPTH:
        raise TreeFault(f"The data tree is at most {MAX_DEPTH} levels deep.")
    if isinstance(value, Mapping):
        return directory({check_key(key): freeze(item, depth + 1) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return tuple(freeze_item(item, depth + 1) for item in value)
    raise TreeFault(f"The data tree holds what JSON can say, not {type(value).__name__}.")


def freeze_item(value: object, depth: int) -> Node:
    """As freeze, of what is inside a list: part of a leaf, so no path leads to it and its keys may be any text."""
    if isinstance(value, Mapping):
        if depth >= MAX_DEPTH:
            raise TreeFault(f"The data tree is at most {MAX_DEPTH} levels deep.")
        return directory({str(key): freeze_item(item, depth + 1) for key, item in value.items()})
    return freeze(value, depth)


def weigh(node: Node, at_most: Weight | None = None) -> Weight:
    """What the node and everything below it cost, its own key aside.

    Args: at_most: what is more than this is not looked at to its end; what is returned is more than it, too.
    """
    entries, characters = 1, 0
    waiting = [node]
    while waiting and (at_most is None or characters <= at_most.characters):
        item = waiting.pop()
        if isinstance(item, str):
            characters += len(item)
        elif isinstance(item, Mapping | tuple):
            entries += len(item)
            if at_most is not None and entries > at_most.entries:
                break
            if isinstance(item, Mapping):
                characters += sum(map(len, item))
                waiting.extend(item.values())
            else:
                waiting.extend(item)
    return Weight(entries, characters)
