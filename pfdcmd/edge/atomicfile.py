"""Replacing a text file whole: readers see the old text or the new, never a part, also after a power cut."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from pfdcmd.errors import StorageFault


def replace_text(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write `text` (UTF-8) to a sibling, make it durable, and rename it; missing directories are made.

    Raises: StorageFault: naming the file and the system's reason.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        sibling = Path(name)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
                os.fchmod(stream.fileno(), mode)
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            sibling.replace(path)
        except BaseException:
            sibling.unlink(missing_ok=True)
            raise
        _sync_directory(path.parent)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its name or text cannot be encoded"
        raise StorageFault(f"{path} cannot be written: {reason}.") from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
