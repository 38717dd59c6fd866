"""What a subscriber is shown of a part of the data tree: itself, unless it is too large to be sent at every change."""

from __future__ import annotations

from typing import Any

from pfdcmd.tree.node import Node, Weight, weigh
from pfdcmd.tree.path import format_path, parse_path
from pfdcmd.tree.secrets import conceal
from pfdcmd.tree.store import Missing

MAX_ENTRIES = 1000
MAX_CHARACTERS = 32 * 1024
_LIGHT = Weight(MAX_ENTRIES, MAX_CHARACTERS)


def describe(path: str, node: Node | Missing, *, is_whole: bool = False) -> dict[str, Any]:
    """At a path: its value, secrets hidden; that there is none; or that it is too large, unless all is wanted."""
    shown = format_path(parse_path(path))
    if isinstance(node, Missing):
        return {"path": shown, "is_missing": True}
    if not is_whole and not is_light(node):
        return {"path": shown, "is_large": True}
    return {"path": shown, "value": conceal(node, parse_path(path))}


def is_light(node: Node) -> bool:
    """Whether a node has at most MAX_ENTRIES entries and MAX_CHARACTERS; found out by looking at no more of it."""
    weight = weigh(node, at_most=_LIGHT)
    return weight.entries <= MAX_ENTRIES and weight.characters <= MAX_CHARACTERS
