"""Directories by descriptor: each step opened without following links, so that no path leads out of its root."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_root(path: str) -> int:
    """Open a directory as configured, links in its path included; it and its parents are made when missing.

    What is made is on disk on return. Raises: OSError.
    """
    _make_with_parents(Path(path))
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _make_with_parents(path: Path) -> None:
    missing = []
    while not path.is_dir() and path != path.parent:
        missing.append(path)
        path = path.parent
    for each in reversed(missing):
        with suppress(FileExistsError):
            each.mkdir()
        if not each.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(each))
        fd = os.open(each.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def is_elsewhere(fd: int, path: str) -> bool:
    """Whether the path means another directory than the open one: it was renamed, removed or mounted over."""
    try:
        return not os.path.samestat(os.stat(path), os.fstat(fd))  # noqa: PTH116 - text in, as configured
    except FileNotFoundError:
        return True


def reopen_root(fd: int, path: str) -> None:
    """Open what the path means now, made when missing, and let the descriptor that others hold mean it."""
    fresh = open_root(path)
    os.dup2(fresh, fd, inheritable=False)
    os.close(fresh)


def open_child(parent_fd: int, name: str) -> int:
    """Open a directory that is there. Raises: FileNotFoundError; NotADirectoryError: a link or a file in its place."""
    return os.open(name, _FLAGS, dir_fd=parent_fd)


def make_child(parent_fd: int, name: str) -> int:
    """Open a directory, making it when missing; its entry is on disk once the parent is synced. Raises: OSError."""
    try:
        return open_child(parent_fd, name)
    except FileNotFoundError:
        pass
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent_fd)
    return open_child(parent_fd, name)


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
