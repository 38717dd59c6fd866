"""Copying a directory so that it is there whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from pfdcmd.errors import StorageFault


def copy_tree(source: Path, target: Path) -> bool:
    """Copy regular files and directories, with modes and times, to a hidden sibling; then rename it to `target`.

    Symbolic links and special files in the source are left out: what they point to is not the source's.

    Returns: False when there is a `target` already; nothing is then changed.
    Raises:  StorageFault: with the system's reason; nothing is left of the copy.
    """
    try:
        if source.is_symlink():
            raise StorageFault("The series' directory is a link, and not copied.")
        if os.path.lexists(target):
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        sibling = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        try:
            shutil.copytree(source, sibling, symlinks=True, ignore=_not_to_be_copied, dirs_exist_ok=True)
            return _rename_new(sibling, target)
        finally:
            shutil.rmtree(sibling, ignore_errors=True)
    except (OSError, shutil.Error, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "some files cannot be copied"
        raise StorageFault(f"{target} cannot be made: {reason}.", cause=str(error)) from error


def _rename_new(sibling: Path, target: Path) -> bool:
    """Rename, unless something with files in it has taken the name in the meantime (rename(2): ENOTEMPTY)."""
    try:
        sibling.rename(target)
    except OSError:
        if os.path.lexists(target):
            return False
        raise
    return True


def _not_to_be_copied(directory: str, names: list[str]) -> list[str]:
    return [name for name in names if not _is_own(Path(directory, name))]


def _is_own(path: Path) -> bool:
    return not path.is_symlink() and (path.is_file() or path.is_dir())
