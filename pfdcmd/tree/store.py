"""The data tree: one immutable snapshot of nodes at a time, swapped under a lock.

A reader takes the snapshot that is current and never waits, copies or sees half of a change. A writer copies the
directories along the path, shares everything else, and swaps the snapshot: one set, merge or replacement is one atomic
change. Writers wait for each other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from pfdcmd.errors import LocalError, PathNotFound, TreeFault, TreeTooLarge
from pfdcmd.tree.node import EMPTY, MAX_DEPTH, Node, Weight, check_key, directory, freeze, weigh
from pfdcmd.tree.path import format_path, parse_path


class Missing(Enum):
    """What a get returns where there is nothing: null is a value."""

    MISSING = "MISSING"


MISSING: Final = Missing.MISSING


@dataclass(frozen=True)
class Snapshot:
    """The whole tree at one moment; version counts the changes since the start."""

    root: Mapping[str, Node]
    version: int
    weight: Weight


Observer = Callable[[int, str], None]
"""Called as observer(version, path) after a change below path, by the thread that made it. It must not raise or wait;
when several threads write, calls may come out of order: the higher version is the later."""


class Tree:
    """Dictionaries are directories, anything else is a leaf; see pfdcmd.tree.node for what is given out."""

    def __init__(
        self,
        initial: Mapping[str, object] | None = None,
        *,
        max_leaves: int = 100_000,
        max_characters: int = 64 * 1024 * 1024,
    ) -> None:
        """max_leaves bounds leaves, list items and directories together; max_characters, keys and texts.

        Raises: TreeFault: the initial content cannot be held.
        """
        self._lock = threading.Lock()
        self._observers: tuple[Observer, ...] = ()
        self._limit = Weight(max_leaves, max_characters)
        self._snapshot = Snapshot(root=EMPTY, version=0, weight=Weight())
        if initial:
            self.merge("/", initial)

    @property
    def version(self) -> int:
        """How many changes there have been."""
        return self._snapshot.version

    def snapshot(self) -> Snapshot:
        """The whole tree as it is now."""
        return self._snapshot

    def observe(self, observer: Observer) -> None:
        """Have the observer called after every change from now on."""
        with self._lock:
            self._observers = (*self._observers, observer)

    def get(self, path: str) -> Node | Missing:
        """The directory or leaf at path, or MISSING."""
        node: Node = self._snapshot.root
        for key in parse_path(path):
            if not isinstance(node, Mapping) or key not in node:
                return MISSING
            node = node[key]
        return node

    def set(self, path: str, value: object) -> None:
        """Put a value at path, in place of the leaf that was there; missing directories are made.

        A dictionary replaces a whole directory. Anything else does not: to lose /PACS by a slip of a path is too easy.

        Raises: TreeFault: the path is the root or leads through a leaf, or the value cannot be held.
                TreeTooLarge: the tree would pass its limits.
        """
        keys = parse_path(path)
        new = freeze(value, len(keys))

        def replace(old: Node | Missing) -> Node:
            if isinstance(old, Mapping) and not isinstance(new, Mapping):
                raise TreeFault("There is a directory at this path; only a dictionary can be set there.")
            return new

        self._change(keys, replace)

    def merge(self, path: str, entries: Mapping[str, object]) -> None:
        """Set a dictionary below path in one change: siblings stay, dictionaries in it are merged likewise.

        A leaf at path itself, or where the dictionary has a dictionary, gives way to it.

        Raises: TreeFault, TreeTooLarge: as set.
        """
        keys = parse_path(path)
        new = freeze(entries, len(keys))
        self._change(keys, lambda old: _merge(old, new))

    def delete(self, path: str) -> None:
        """Take away what is at path, a directory with all that is in it.

        Raises: PathNotFound: nothing is there. TreeFault: the path is the root.
        """
        keys = parse_path(path)
        if not keys:
            raise TreeFault("The root of the data tree cannot be taken away.")
        name = keys[-1]

        def without(parent: Node | Missing) -> Node:
            if not isinstance(parent, Mapping) or name not in parent:
                raise PathNotFound
            return directory({key: item for key, item in parent.items() if key != name})

        self._change(keys[:-1], without)

    def replace_value(self, old: object, new: object) -> list[str]:
        """Give every leaf that equals old, in type and value, the value new.

        Returns: the paths of those leaves, in the tree's order.
        Raises:  TreeFault, TreeTooLarge: as set; also when old or new is a dictionary.
        """
        wanted, replacement = freeze(old), freeze(new)
        if isinstance(wanted, Mapping) or isinstance(replacement, Mapping):
            raise TreeFault("Only values can be replaced, not dictionaries.")
        paths: list[str] = []

        self._change((), lambda root: _replace(root, wanted, replacement, (), paths), is_needed=lambda: bool(paths))
        return paths

    def _change(
        self,
        keys: tuple[str, ...],
        change: Callable[[Node | Missing], Node],
        is_needed: Callable[[], bool] = lambda: True,
    ) -> None:
        if len(keys) >= MAX_DEPTH:
            raise TreeFault(f"The data tree is at most {MAX_DEPTH} levels deep.")
        with self._lock:
            before = self._snapshot
            root, gained = _change_at(before.root, keys, change)
            if not is_needed():
                return
            if not isinstance(root, Mapping):
                raise TreeFault("Only a dictionary can be set at the root of the data tree.")
            weight = before.weight + gained
            # What is over a limit already (a loaded file, say) may still be changed, as long as it does not grow.
            if weight.entries > self._limit.entries and gained.entries > 0:
                raise TreeTooLarge(f"The data tree is full: it holds at most {self._limit.entries} leaves.")
            if weight.characters > self._limit.characters and gained.characters > 0:
                raise TreeTooLarge(f"The data tree is full: it holds at most {self._limit.characters} characters.")
            self._snapshot = Snapshot(root, before.version + 1, weight)
            version, observers = self._snapshot.version, self._observers
        for observer in observers:
            observer(version, format_path(keys))


def _change_at(
    node: Node, keys: tuple[str, ...], change: Callable[[Node | Missing], Node], done: int = 0
) -> tuple[Node, Weight]:
    """The node with what is at keys[done:] changed, and what it weighs more than before."""
    if done == len(keys):
        new = change(node)
        return new, weigh(new) - weigh(node)
    if not isinstance(node, Mapping):
        raise TreeFault(f"There is a value, not a directory, at {format_path(keys[:done])[:200]}.")
    key = keys[done]
    if key in node:
        below, gained = _change_at(node[key], keys, change, done + 1)
    else:
        below, gained = _grow(keys, change, done + 1)
        gained += Weight(0, len(check_key(key)))
    return directory({**node, key: below}), gained


def _grow(keys: tuple[str, ...], change: Callable[[Node | Missing], Node], done: int) -> tuple[Node, Weight]:
    """What to hang at keys[:done], where nothing is yet, and what it weighs."""
    new = change(MISSING)
    for key in reversed(keys[done:]):
        new = directory({check_key(key): new})
    return new, weigh(new)


def _merge(old: Node | Missing, new: Node) -> Node:
    if not isinstance(new, Mapping):
        if isinstance(old, Mapping):
            raise TreeFault(
                "There is a directory where the dictionary has a value; only a dictionary can be set there."
            )
        return new
    if not isinstance(old, Mapping):
        return new
    return directory({**old, **{key: _merge(old.get(key, MISSING), item) for key, item in new.items()}})


def _replace(node: Node | Missing, wanted: Node, replacement: Node, keys: tuple[str, ...], paths: list[str]) -> Node:
    if isinstance(node, Mapping):
        changed = {key: _replace(item, wanted, replacement, (*keys, key), paths) for key, item in node.items()}
        return directory(changed) if any(changed[key] is not node[key] for key in node) else node
    if isinstance(node, Missing):
        raise LocalError("a replacement starts at the root, which is never missing")
    # 1 == True == 1.0 in Python; JSON tells them apart.
    if type(node) is type(wanted) and node == wanted:
        paths.append(format_path(keys))
        return replacement
    return node
