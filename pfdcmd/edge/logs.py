"""The log, on stderr and, when asked for, in a rotated file: one line for one event, for people or for programs.

What callers and peers say is data: control characters in it are escaped, so that nobody can forge a line or drive the
operator's terminal. For people, only tracebacks have several lines, and theirs are indented.

A line that has more to say than its sentence carries `extra={"fields": {...}}`: JSON has them beside the message.
"""

from __future__ import annotations

import json
import logging
import re
import warnings
from collections.abc import Mapping
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from pfdcmd.edge.http.requestid import current_request_id

FILE_NAME = "pfdcm.log"
MAX_FILE_BYTES = 10 * 1024 * 1024
KEPT_FILES = 5
CONSOLE = "console"
JSON = "json"
_LEVELS = (logging.WARNING, logging.INFO)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_BUT_LINE_FEED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class LineFormatter(logging.Formatter):
    """Time with milliseconds and zone, level, logger, request's id, message; control characters as \\xNN."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s%(request)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        request_id = current_request_id()
        record.request = f" [{request_id}]" if request_id else ""
        return _CONTROL.sub(_escape, super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        text = _CONTROL_BUT_LINE_FEED.sub(_escape, super().formatException(ei))
        return "\n".join(f"    {line}" for line in text.split("\n"))


class JsonFormatter(logging.Formatter):
    """One ASCII JSON object a line: time (ISO 8601 with zone), level, logger, message, and where there are such

    request_id, exception (the traceback) and the fields, under their names; a field never takes another's place.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        request_id = current_request_id()
        if request_id:
            line["request_id"] = request_id
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        fields = getattr(record, "fields", {})
        return json.dumps({**(fields if isinstance(fields, Mapping) else {}), **line}, default=str)


def configure_logs(verbosity: int, directory: str = "", log_format: str = CONSOLE) -> None:
    """Send the log to stderr, and to FILE_NAME in the directory when one is named (made when missing).

    Args:   verbosity: 0 warnings, 1 what happens, 2 and more debugging. log_format: CONSOLE or JSON.
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
        handler.setFormatter(JsonFormatter() if log_format == JSON else LineFormatter())
    level = _LEVELS[verbosity] if 0 <= verbosity < len(_LEVELS) else logging.DEBUG
    logging.basicConfig(level=level, handlers=handlers, force=True)
    # What they find wrong with a peer's data is quoted from it, and when debugging they tell of every byte, identifiers
    # of patients included. What matters of it is said by edge.pacs.link, as faults.
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    warnings.simplefilter("ignore")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"
