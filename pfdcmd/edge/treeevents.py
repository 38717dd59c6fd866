"""Changes of the data tree as events, for those who follow it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pfdcmd.events.hub import EventHub
from pfdcmd.events.showing import describe
from pfdcmd.events.topic import TREE, below_root
from pfdcmd.tree.node import Node
from pfdcmd.tree.path import parse_path
from pfdcmd.tree.store import MISSING, Missing, Tree


class TreeEvents:
    """Publishes what has changed: who follows a path above hears of the change, who follows one below of his own part.

    A value that is too large to be told at every change is to be asked for: `is_large` stands in its place.
    """

    def __init__(self, tree: Tree, hub: EventHub) -> None:
        self._tree = tree
        self._hub = hub
        self._before: Mapping[str, Node] = tree.snapshot().root
        tree.observe(self._changed)

    def _changed(self, _version: int, path: str) -> None:
        before, self._before = self._before, self._tree.snapshot().root
        if not self._hub.is_followed(TREE):
            return
        after = self._before
        topic = "/".join((TREE, *parse_path(path)))
        self._hub.publish(topic, describe(path, node_at(after, path)))

        def changed_below(followed: str) -> Mapping[str, Any] | None:
            part = below_root(followed)
            node = node_at(after, part)
            return None if node_at(before, part) is node else describe(part, node)

        self._hub.publish_below(topic, changed_below)


def node_at(root: Mapping[str, Node], path: str) -> Node | Missing:
    """As Tree.get, in one snapshot."""
    node: Node = root
    for key in parse_path(path):
        if not isinstance(node, Mapping) or key not in node:
            return MISSING
        node = node[key]
    return node
