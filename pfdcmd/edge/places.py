"""Where pfdcm keeps its own files: the first place that this user can write to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pfdcmd.errors import StorageFault

SYSTEM_STATE_DIR = Path("/var/lib/pfdcm")
XINETD_SERVICE_FILE = Path("/etc/xinetd.d/dicomlistener")


def make_state_directory(chosen: str, environ: Mapping[str, str]) -> Path:
    """The state directory, made with mode 0700: the chosen one, else the system's, else the user's own.

    Source: XDG Base Directory Specification, $XDG_STATE_HOME.
    Raises: StorageFault: it cannot be made; the message names it.
    """
    if chosen:
        directory = Path(chosen).absolute()
    elif is_writable(SYSTEM_STATE_DIR):
        directory = SYSTEM_STATE_DIR
    else:
        home = environ.get("HOME") or str(Path.home())
        directory = Path(environ.get("XDG_STATE_HOME") or f"{home}/.local/state").absolute() / "pfdcm"
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


def is_writable(path: Path) -> bool:
    """Whether this user could make, or add to, what is at path: its nearest existing ancestor is writable to us."""
    nearest = next(ancestor for ancestor in (path, *path.parents) if ancestor.exists())
    return os.access(nearest, os.W_OK)
