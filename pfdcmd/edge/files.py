"""Files and directories: what the actions read and write, off the event loop and few at a time."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import stat
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from pfdcmd.actions.context import SeriesFiles
from pfdcmd.edge.atomicfile import replace_text
from pfdcmd.edge.elements import read_elements
from pfdcmd.edge.roots import Roots
from pfdcmd.edge.treecopy import copy_tree
from pfdcmd.errors import StorageFault
from pfdcmd.names import parse_uid

_THREADS = 8
_MAP_MAX_BYTES = 65_536
_TEXT_MAX_BYTES = 1_048_576
_IMAGE_SUFFIX = ".dcm"
_COMPLETE = "series.info"
_RECEIVING = "receiving.series"

_T = TypeVar("_T")


class Files:
    """Implements actions.context.FilesPort with threads of its own, so that a slow disk holds up files only."""

    def __init__(self, roots: Roots | None = None) -> None:
        """roots: where the paths of messages may lead; anywhere without them."""
        self._roots = roots or Roots()
        self._executor = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="files")

    async def series(self, series_map_dir: str, series_uid: str) -> SeriesFiles | None:
        """Look a received series up by its map file; None when there is no map file.

        A series is complete when `series.info` is there and `receiving.series` is not.

        Raises: ParameterFault: `series_uid` is not a UID (nothing else is ever joined to a path).
                StorageFault: the map file or the series directory cannot be read; PathRefused: or is out of the roots.
        """
        uid = parse_uid(series_uid, "series_uid")
        return await self._run(lambda: self._find_series(Path(series_map_dir), uid))

    async def tags(self, directory: str) -> dict[str, str]:
        """The elements of the first image, by file name, of a series directory: keyword -> text, without PixelData.

        Raises: StorageFault: there is no image, or it cannot be read.
        """
        return await self._run(lambda: read_elements(_first_image(self._roots.confine(Path(directory)))))

    async def copy_tree(self, source: str, target: str) -> bool:
        """Copy a directory so that the target is never seen half done; False when there is a target already.

        Raises: StorageFault: it could not be copied; nothing is left of it.
        """
        confine = self._roots.confine
        return await self._run(lambda: copy_tree(confine(Path(source)), confine(Path(target))))

    async def make_directories(self, paths: list[str]) -> None:
        """Make each directory and its parents. Raises: StorageFault: naming the one that could not be made."""
        await self._run(lambda: _make_directories([self._roots.confine(Path(path)) for path in paths]))

    async def read_text(self, path: str) -> str:
        """A whole text file of at most 1 MiB, UTF-8. Raises: StorageFault."""
        return await self._run(lambda: _read_text(self._roots.confine(Path(path)), _TEXT_MAX_BYTES))

    async def write_text(self, path: str, text: str) -> None:
        """Replace a file's text atomically and durably, making its directory when missing. Raises: StorageFault."""
        await self._run(lambda: replace_text(self._roots.confine(Path(path)), text))

    async def check_paths(self, paths: Sequence[str]) -> None:
        """Look at paths that others will use. Raises: PathRefused: one leads out of the roots."""
        await self._run(lambda: [self._roots.confine(Path(path)) for path in paths])

    def close(self) -> None:
        """Let the threads end once their work is done."""
        self._executor.shutdown(wait=True)

    def _find_series(self, series_map_dir: Path, uid: str) -> SeriesFiles | None:
        directory = _look_up(self._roots.confine(series_map_dir / f"{uid}.json"), uid)
        if directory is None:
            return None
        names = _names(self._roots.confine(Path(directory)))
        return SeriesFiles(
            directory=directory,
            count=sum(name.endswith(_IMAGE_SUFFIX) for name in names),
            is_complete=_COMPLETE in names and _RECEIVING not in names,
        )

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


def _look_up(map_file: Path, uid: str) -> str | None:
    """The directory that a map file names."""
    try:
        directory = json.loads(_load(map_file, _MAP_MAX_BYTES))[uid]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageFault(f"The series map file {map_file} cannot be read: {_reason(error)}.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StorageFault(f"The series map file {map_file} is not one.") from error
    if not isinstance(directory, str) or not directory.startswith("/"):
        raise StorageFault(f"The series map file {map_file} names no directory.")
    return directory


def _names(directory: Path) -> set[str]:
    """The names in a directory, links aside; one that has been taken away has none, and one that is a link is none."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            with os.scandir(descriptor) as entries:
                return {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return set()
    except (OSError, ValueError) as error:
        raise StorageFault(f"The series directory cannot be read: {_reason(error)}.") from error


def _first_image(directory: Path) -> Path:
    images = [name for name in _names(directory) if name.endswith(_IMAGE_SUFFIX)]
    if not images:
        raise StorageFault("The series directory holds no image.")
    return directory / min(images)


def _make_directories(directories: list[Path]) -> None:
    for directory in directories:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            raise StorageFault(
                f"The directory {directory} cannot be made: {_reason(error)}; "
                "choose others with --dicomDir or below /xinetd."
            ) from error


def _read_text(path: Path, max_bytes: int) -> str:
    try:
        return _load(path, max_bytes)
    except (OSError, ValueError) as error:
        raise StorageFault(f"{path} cannot be read: {_reason(error)}.") from error


def _load(path: Path, max_bytes: int) -> str:
    # Without O_NONBLOCK the opening of a pipe waits for its other end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        content = stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"it is longer than {max_bytes} bytes")
    return content.decode("utf-8")


def _reason(error: Exception) -> str:
    return error.strerror or "no reason given" if isinstance(error, OSError) else "its name or text cannot be decoded"
