"""Series map files: SeriesInstanceUID -> the directory that the listener filed the series in."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from pfdcmd.errors import ParameterFault, StorageFault
from pfdcmd.names import Uid, parse_uid

_MAX_BYTES = 65_536
_SUFFIX = ".json"


def read_series_map(series_map_dir: Path, uid: Uid) -> str | None:
    """The directory of one series, absolute; None when there is no map file.

    Raises: StorageFault: the map file cannot be read, or is none.
    """
    file = series_map_dir / f"{uid}{_SUFFIX}"
    try:
        directory = json.loads(_load(file))[uid]
    except FileNotFoundError:
        return None
    except OSError as error:
        reason = error.strerror or "no reason given"
        raise StorageFault(f"The series map file {file} cannot be read: {reason}.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StorageFault(f"The series map file {file} is not one.") from error
    if not isinstance(directory, str) or not directory.startswith("/") or "\0" in directory:
        raise StorageFault(f"The series map file {file} names no directory.")
    return directory


def mapped_directories(series_map_dirs: Iterable[Path], uid: Uid) -> list[str]:
    """The directories that any of the map directories names; a map file that cannot be read names none."""
    found: list[str] = []
    for series_map_dir in series_map_dirs:
        with suppress(StorageFault):
            directory = read_series_map(series_map_dir, uid)
            if directory is not None and directory not in found:
                found.append(directory)
    return found


def mapped_series(series_map_dir: Path) -> Iterator[Uid]:
    """The series that have a map file. Raises: StorageFault: not all of them can be told."""
    try:
        with os.scandir(series_map_dir) as entries:
            for entry in entries:
                with suppress(ParameterFault):
                    if entry.name.endswith(_SUFFIX):
                        yield parse_uid(entry.name.removesuffix(_SUFFIX), "name")
    except OSError as error:
        raise StorageFault("A directory of map files cannot be read.", cause=str(error)) from error


def _load(path: Path) -> str:
    # Without O_NONBLOCK the opening of a pipe waits for its other end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is not a regular file")
        content = stream.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError(f"it is longer than {_MAX_BYTES} bytes")
    return content.decode("utf-8")
