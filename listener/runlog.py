"""listen.run.log: one line per association, in the log directory. Any number of workers write it."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime

RUN_LOG = "listen.run.log"
_MAX_FIELD = 64
_UNPRINTABLE = re.compile(r"[^A-Za-z0-9._+:/ -]")
SAID_BY_DEFAULT = ("HOST", "EXIT", "TRAFFIC")


def printable(text: str, max_characters: int = _MAX_FIELD) -> str:
    """What a peer sent, fit for a log: ASCII letters, digits and a few signs; the rest question marks; bounded."""
    return _UNPRINTABLE.sub("?", text[:max_characters])


@dataclass(frozen=True)
class CutOff:
    """An image that was not received to its end. `size_bytes`: of its data set, None where nobody knows."""

    sop_instance: str
    size_bytes: int | None

    def __str__(self) -> str:
        size = "" if self.size_bytes is None else f" cut_off_bytes={self.size_bytes}"
        return f'cut_off="{printable(self.sop_instance)}"{size}'


def format_line(
    *,
    now: datetime,
    service: str,
    peer: str,
    calling_ae: str,
    called_ae: str,
    images: int,
    size_bytes: int,
    refused: int,
    outcome: str,
    pid: int = 0,
    seconds: float = 0.0,
    said: Container[str] = SAID_BY_DEFAULT,
    cut_off: CutOff | None = None,
) -> str:
    """One line: when it ended, who sent, what came, how it ended. No patients' data.

    Args: said: which of PID HOST EXIT DURATION TRAFFIC it says (xinetd.conf(5), log_on_success).
    """
    parts = [now.isoformat(timespec="seconds"), f"service={printable(service)}"]
    if "PID" in said:
        parts.append(f"pid={pid}")
    if "HOST" in said:
        parts.append(f"peer={printable(peer)}")
    parts.append(f'calling="{printable(calling_ae)}" called="{printable(called_ae)}"')
    if "TRAFFIC" in said:
        parts.append(f"images={images} bytes={size_bytes} refused={refused}")
    if cut_off is not None:
        parts.append(str(cut_off))
    if "DURATION" in said:
        parts.append(f"seconds={seconds:.1f}")
    if "EXIT" in said:
        parts.append(f'outcome="{printable(outcome)}"')
    return " ".join(parts) + "\n"


def format_refusal(*, now: datetime, service: str, peer: str, why: str, said: Container[str]) -> str:
    """The line of a connection that was closed unheard; `said`: whether HOST is told."""
    host = f" peer={printable(peer)}" if "HOST" in said else ""
    return (
        f'{now.isoformat(timespec="seconds")} service={printable(service)}{host} outcome="refused: {printable(why)}"\n'
    )


def format_abandoned(
    *, now: datetime, service: str, peer: str, calling_ae: str, called_ae: str, cut_off: CutOff
) -> str:
    """The line of an image that was on its way when its worker was killed, with the time when that was found."""
    return (
        f"{now.isoformat(timespec='seconds')} service={printable(service)} peer={printable(peer)} "
        f'calling="{printable(calling_ae)}" called="{printable(called_ae)}" {cut_off} outcome="worker killed"\n'
    )


def append_line(log_fd: int, line: str, max_bytes: int, name: str = RUN_LOG) -> None:
    """Append a line; a log that has grown to max_bytes is first renamed, with `.1` after its name. Raises: OSError.

    Args: log_fd: the log directory; name: of the log in it.
    """
    while True:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, 0o666, dir_fd=log_fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            status = os.fstat(fd)
            if not status.st_nlink or _is_another(log_fd, name, status.st_ino):
                continue
            if status.st_size >= max_bytes:
                os.rename(name, f"{name}.1", src_dir_fd=log_fd, dst_dir_fd=log_fd)
                continue
            os.write(fd, line.encode("ascii", "replace"))
            return
        finally:
            os.close(fd)


def _is_another(log_fd: int, name: str, inode: int) -> bool:
    """Whether the log was renamed between our opening and our locking it."""
    try:
        return os.stat(name, dir_fd=log_fd, follow_symlinks=False).st_ino != inode
    except FileNotFoundError:
        return True
