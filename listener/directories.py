"""Directories by descriptor: each step opened without following links, so that no path leads out of its root."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_root(path: str) -> int:
    """Open a directory as configured, links in its path included; it and its parents are made when missing."""
    os.makedirs(path, exist_ok=True)  # noqa: PTH103 - text in, as configured
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def reopen_root(fd: int, path: str) -> None:
    """Make a directory again that was removed, and let the descriptor that others hold mean the new one."""
    fresh = open_root(path)
    os.dup2(fresh, fd, inheritable=False)
    os.close(fresh)


def open_child(parent_fd: int, name: str) -> int:
    """Open a directory that is there. Raises: FileNotFoundError; NotADirectoryError: a link or a file in its place."""
    return os.open(name, _FLAGS, dir_fd=parent_fd)


def make_child(parent_fd: int, name: str, *, is_durable: bool) -> int:
    """Open a directory, making it when missing.

    Durable: its entry is on disk on return, also when another process made it a moment ago.
    """
    try:
        return open_child(parent_fd, name)
    except FileNotFoundError:
        pass
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent_fd)
    child = open_child(parent_fd, name)
    if is_durable:
        os.fsync(parent_fd)
    return child


@contextmanager
def descended(root_fd: int, names: Sequence[str]) -> Iterator[int]:
    """The descriptor of `names` below the root, for the block. Raises: OSError."""
    current = os.dup(root_fd)
    try:
        for name in names:
            below = open_child(current, name)
            os.close(current)
            current = below
        yield current
    finally:
        os.close(current)
