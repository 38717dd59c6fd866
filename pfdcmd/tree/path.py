"""Paths of the data tree: '/PACS/orthanc/aec' names a node by the keys that lead to it from the root.

A path is text that callers write, so the forms that people use are all taken: with or without the slash in front, with
one at the end, with doubled ones; nothing at all is the root. '.' and '..' are keys like any other: the tree is not a
disk, and there is no way up.
"""

from __future__ import annotations

from collections.abc import Iterable

SEPARATOR = "/"


def parse_path(text: str) -> tuple[str, ...]:
    """The keys from the root to the node, none of them empty; () is the root."""
    return tuple(key for key in text.split(SEPARATOR) if key)


def format_path(keys: Iterable[str]) -> str:
    """The path of these keys, with the slash in front; '/' is the root."""
    return SEPARATOR + SEPARATOR.join(keys)
