"""The tree's nodes, and what can be read and changed of them, safe under many threads and tasks."""

from __future__ import annotations


class Tree:
    """Dictionaries are directories, anything else is a leaf."""
