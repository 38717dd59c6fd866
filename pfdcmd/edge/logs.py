"""The log: plain text, one line for one event, on stderr and, when asked for, in a rotated file.

What callers and peers say is data: control characters in it are escaped, so that nobody can forge a line or drive the
operator's terminal. Only tracebacks have several lines, and theirs are indented.
"""

from __future__ import annotations

import logging
import re
import warnings
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

FILE_NAME = "pfdcm.log"
MAX_FILE_BYTES = 10 * 1024 * 1024
KEPT_FILES = 5
_LEVELS = (logging.WARNING, logging.INFO)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_BUT_LINE_FEED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class LineFormatter(logging.Formatter):
    """Time with milliseconds and zone, level, logger, message; control characters as \\xNN."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        return _CONTROL.sub(_escape, super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        text = _CONTROL_BUT_LINE_FEED.sub(_escape, super().formatException(ei))
        return "\n".join(f"    {line}" for line in text.split("\n"))


def configure_logs(verbosity: int, directory: str = "") -> None:
    """Send the log to stderr, and to FILE_NAME in the directory when one is named (made when missing).

    Args:   verbosity: 0 warnings, 1 what happens, 2 and more debugging.
    Raises: OSError: the file cannot be opened.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if directory:
        Path(directory).mkdir(parents=True, exist_ok=True)
        handlers.append(
            RotatingFileHandler(
                Path(directory) / FILE_NAME, maxBytes=MAX_FILE_BYTES, backupCount=KEPT_FILES, encoding="utf-8"
            )
        )
    for handler in handlers:
        handler.setFormatter(LineFormatter())
    level = _LEVELS[verbosity] if 0 <= verbosity < len(_LEVELS) else logging.DEBUG
    logging.basicConfig(level=level, handlers=handlers, force=True)
    # What they find wrong with a peer's data is quoted from it, and when debugging they tell of every byte, identifiers
    # of patients included. What matters of it is said by edge.pacslink, as faults.
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    warnings.simplefilter("ignore")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"
