"""The last lines of a log, fit to be shown to a caller."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_TAIL_BYTES = 4096
_LINES = 3
_LINE_CHARACTERS = 300
_LINES_TAIL_BYTES = 1_048_576


def last_words(log_file: Path) -> str:
    """The last lines of a worker's log in one; empty when there is nothing to read."""
    tail = _read_tail(log_file, _TAIL_BYTES).decode("utf-8", "replace")
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    return " | ".join(_printable(line[:_LINE_CHARACTERS]) for line in lines[-_LINES:])


def last_lines(log_file: Path, lines: int, containing: str = "") -> list[str]:
    """The last so many lines that contain the text, of the file's last MiB; none when there is nothing to read."""
    tail = _read_tail(log_file, _LINES_TAIL_BYTES)
    whole = tail.decode("utf-8", "replace").splitlines()
    if len(tail) == _LINES_TAIL_BYTES:
        # what was read may begin in the middle of a line
        whole = whole[1:]
    return [_printable(line[:_LINE_CHARACTERS]) for line in whole if containing in line][-lines:]


def _read_tail(log_file: Path, size_bytes: int) -> bytes:
    """The end of a regular file, never of what a link names: whoever may write its directory chooses no other file."""
    try:
        descriptor = os.open(log_file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as stream:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                return b""
            stream.seek(max(0, facts.st_size - size_bytes))
            return stream.read(size_bytes)
    except OSError:
        return b""


def _printable(line: str) -> str:
    """Control characters escaped; a long line is cut before."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
