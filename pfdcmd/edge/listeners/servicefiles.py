"""The service files on disk: a directory of them, what they include, and whether any of it has changed. Blocking.

As xinetd's includedir: in a directory, names that hold a dot or end with a tilde are passed over, the others are read
in the order of the C locale.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pfdcmd.errors import ServiceFileFault
from pfdcmd.service.blocks import Include, ServiceFile
from pfdcmd.service.catalogue import Reading
from pfdcmd.wire.xinetdconf import may_hold_defaults, parse_service_file

MAX_FILES = 2048
MAX_FILE_BYTES = 262_144
_MAX_DEPTH = 8

Signature = frozenset[tuple[str, int, int, int]]


class ServiceFiles:
    """Reads a directory of service files, and others that are named."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._watched: tuple[str, ...] = (str(directory),)

    def read(self, others: Iterable[str] = ()) -> tuple[Reading, Signature]:
        """Read and parse everything; never raises: what cannot be read is a fault of its file.

        Args: others: further files; one that is not there is passed over.
        Returns: what was read, and a signature from just before it: what changes meanwhile differs from that.
        """
        signature = self.signature()
        watched = self._watched
        reading = self._read(others)
        if self._watched != watched:
            # only now is it known which included files belong to the signature
            signature = self.signature()
            reading = self._read(others)
        return reading, signature

    def signature(self) -> Signature:
        """What changes when a file of the directory, or one that was included, does."""
        paths = [*_directory_files(self.directory), *self._watched]
        for watched in self._watched[1:]:
            paths += _directory_files(Path(watched)) if Path(watched).is_dir() else []
        return frozenset(filter(None, map(_stamp, paths)))

    def is_there(self, paths: Iterable[str]) -> dict[str, bool]:
        """path -> whether there is anything."""
        return {path: Path(path).exists() for path in paths}

    def _read(self, others: Iterable[str]) -> Reading:
        reader = _Reader()
        for path in _directory_files(self.directory):
            reader.read(path)
        for other in others:
            if Path(other).exists():
                reader.read(other)
        self._watched = (str(self.directory), *reader.watched)
        return Reading(tuple(reader.files), reader.faults, reader.is_uncertain)


class _Reader:
    """One pass over files and what they include."""

    def __init__(self) -> None:
        self.files: list[ServiceFile] = []
        self.faults: dict[str, str] = {}
        self.watched: list[str] = []
        self.is_uncertain = False
        self._seen: set[str] = set()

    def read(self, path: str, depth: int = 0) -> None:
        real = os.path.realpath(path)
        if real in self._seen:
            return
        self._seen.add(real)
        text = ""
        try:
            if len(self._seen) > MAX_FILES:
                raise ServiceFileFault(f"{path}: there are more than {MAX_FILES} service files.")
            text = _load(path)
            file = parse_service_file(text, path)
            if file.includes and depth == _MAX_DEPTH:
                raise ServiceFileFault(f"{path}:{file.includes[0].line}: includes are nested too deeply.")
            for include in file.includes:
                self._follow(file, include, depth)
        except ServiceFileFault as fault:
            self.faults[path] = fault.message
            self.is_uncertain |= may_hold_defaults(text)
            return
        self.files.append(file)

    def _follow(self, file: ServiceFile, include: Include, depth: int) -> None:
        self.watched.append(include.path)
        path = Path(include.path)
        if not (path.is_dir() if include.is_directory else path.is_file()):
            kind = "directory" if include.is_directory else "file"
            raise ServiceFileFault(f"{file.file_name}:{include.line}: there is no {kind} {include.path}.")
        for each in _directory_files(path) if include.is_directory else [include.path]:
            self.read(each, depth + 1)


def _directory_files(directory: Path) -> list[str]:
    """The files of a directory that are service files by their names; none where there is no directory."""
    try:
        names = sorted(os.listdir(directory), key=os.fsencode)  # noqa: PTH208 - names only, in the C locale's order
    except OSError:
        return []
    paths = [directory / name for name in names if "." not in name and not name.endswith("~")]
    return [str(path) for path in paths if path.is_file()]


def _load(path: str) -> str:
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ServiceFileFault(f"{path}:1: the file is longer than {MAX_FILE_BYTES} bytes.")
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ServiceFileFault(f"{path}:{line}: the file is not UTF-8 text.") from error
    except OSError as error:
        raise ServiceFileFault(f"{path} cannot be read: {error.strerror}.") from error


def _stamp(path: str) -> tuple[str, int, int, int] | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return path, status.st_mtime_ns, status.st_size, status.st_ino
