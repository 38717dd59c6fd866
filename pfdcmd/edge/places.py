"""Where pfdcm keeps its own files: the first place that this user can write to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pfdcmd.errors import StorageFault

SYSTEM_STATE_DIR = Path("/var/lib/pfdcm")
XINETD_SERVICE_FILE = Path("/etc/xinetd.d/dicomlistener")


def find_state_directory(chosen: str, environ: Mapping[str, str]) -> Path:
    """The state directory: the chosen one, else the system's, else the user's own.

    Source: XDG Base Directory Specification, $XDG_STATE_HOME.
    """
    if chosen:
        return Path(chosen).absolute()
    if is_writable(SYSTEM_STATE_DIR):
        return SYSTEM_STATE_DIR
    home = environ.get("HOME") or str(Path.home())
    return Path(environ.get("XDG_STATE_HOME") or f"{home}/.local/state").absolute() / "pfdcm"


def make_state_directory(chosen: str, environ: Mapping[str, str]) -> Path:
    """The state directory that find_state_directory finds, made with mode 0700.

    Raises: StorageFault: it cannot be made; the message names it.
    """
    directory = find_state_directory(chosen, environ)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFault(f"The state directory {directory} cannot be made: {error.strerror}.") from error
    return directory


def service_file_path(chosen: str, state_directory: Path) -> Path:
    """The listener's service file: the chosen one, else xinetd's own place, else in the state directory."""
    if chosen:
        return Path(chosen).absolute()
    if is_writable(XINETD_SERVICE_FILE):
        return XINETD_SERVICE_FILE
    return state_directory / "services.d" / XINETD_SERVICE_FILE.name


def services_directory(chosen: str, state_directory: Path) -> Path:
    """Where service files are looked for: the chosen directory, else services.d in the state directory."""
    return Path(chosen).absolute() if chosen else state_directory / "services.d"


def is_writable(path: Path) -> bool:
    """Whether this user could make, or add to, what is at path: its nearest existing ancestor is writable to us."""
    nearest = next(ancestor for ancestor in (path, *path.parents) if ancestor.exists())
    return os.access(nearest, os.W_OK)
