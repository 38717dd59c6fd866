"""The last lines of a worker's log, fit to be shown to a caller."""

from __future__ import annotations

from pathlib import Path

_TAIL_BYTES = 4096
_LINES = 3
_LINE_CHARACTERS = 300


def last_words(log_file: Path) -> str:
    """The last lines, control characters escaped and long lines cut; empty when there is nothing to read."""
    try:
        with log_file.open("rb") as stream:
            stream.seek(max(0, log_file.stat().st_size - _TAIL_BYTES))
            tail = stream.read(_TAIL_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    return " | ".join(_printable(line[:_LINE_CHARACTERS]) for line in lines[-_LINES:])


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
