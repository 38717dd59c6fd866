"""The roots: the directories below which a message may name files, when the operator has said so (--roots).

A path is looked at as the system would follow it: every symbolic link and `..` on the way is resolved first, and what
comes out is used from there on, not the path that was sent. Between the look and the use somebody who may write below a
root could put a link in the way; such a person has the files anyway, but no caller of pfdcm can make a link.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pfdcmd.actions.xinetd import CREATED_SUFFIX
from pfdcmd.errors import ParameterFault, PathRefused
from pfdcmd.settings import Settings


class Roots:
    """Confines paths; without roots every path is as good as the next."""

    def __init__(self, roots: Iterable[Path] = (), own_files: Iterable[Path] = ()) -> None:
        """own_files: what the operator's settings name, wherever it is."""
        self._roots = tuple(_real(root) for root in roots)
        self._own_files = frozenset(_real(file) for file in own_files)

    def confine(self, path: Path) -> Path:
        """The path as it is to be used: absolute, with the links on the way to it resolved, its own name untouched.

        Raises: PathRefused: it leads out of the roots.
        """
        if not self._roots:
            return path
        if "\0" in str(path) or path.name in ("", ".."):
            raise PathRefused
        real = _real(path.parent) / path.name
        # the last name may be a link itself, whatever will be done with it
        if real in self._own_files or (self._has(real) and self._has(_real(real))):
            return real
        raise PathRefused

    def _has(self, path: Path) -> bool:
        return any(path.is_relative_to(root) for root in self._roots)


def open_roots(settings: Settings, service_file: Path) -> Roots:
    """The roots as the settings have them; service_file: where `xinetd file install` writes unless a caller changes it.

    Raises: ParameterFault: a root is not absolute.
    """
    roots = tuple(Path(word) for word in settings.roots.split(":") if word)
    for root in roots:
        if not root.is_absolute():
            raise ParameterFault(f"--roots takes absolute directories, parted by colons; {root} is not one.")
    return Roots(roots, (service_file, service_file.with_name(f"{service_file.name}{CREATED_SUFFIX}")))


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
