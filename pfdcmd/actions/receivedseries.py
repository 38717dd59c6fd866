"""What is here of a received series: where it lies, one image's elements, a copy of its directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from pfdcmd.actions.context import Context
from pfdcmd.errors import ParameterFault, SeriesNotFound, StorageFault
from pfdcmd.names import Uid

_MAP_DIR = "/xinetd/series_mapDir"


@dataclass(frozen=True)
class Copy:
    """A copy of a series' directory; is_made is false when the target was there already."""

    source: str
    target: str
    is_made: bool


async def find_directory(uid: Uid, context: Context) -> str:
    """The series' directory. Raises: SeriesNotFound: there is none. StorageFault: that cannot be known."""
    series_map_dir = context.tree.get(_MAP_DIR)
    if not isinstance(series_map_dir, str):
        raise StorageFault(f"{_MAP_DIR} must name the directory of the series map files.")
    series = await context.files.series(series_map_dir, uid)
    if series is None:
        raise SeriesNotFound(f"Series map file {series_map_dir}/{uid}.json not found")
    return series.directory


async def read_tags(uid: Uid, context: Context) -> dict[str, str]:
    """The elements of the series' first image, keyword -> text, without PixelData.

    Raises: SeriesNotFound, StorageFault: there is no such image, or it cannot be read.
    """
    return await context.files.tags(await find_directory(uid, context))


async def copy_series(directory: str, target: str, context: Context) -> Copy:
    """Copy a series' directory. Raises: StorageFault: it could not be copied; nothing is left of it."""
    return Copy(directory, target, await context.files.copy_tree(directory, target))


def parse_target(path: object, parameter: str) -> PurePosixPath:
    """Where a caller wants a copy; a relative path would depend on where pfdcm was started. Raises: ParameterFault."""
    if not isinstance(path, str) or not path.startswith("/") or "\0" in path:
        raise ParameterFault(f"{parameter} must be an absolute path.", parameter=parameter)
    return PurePosixPath(path)
