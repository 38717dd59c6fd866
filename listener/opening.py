"""How a worker comes by its directories: whatever it takes.

A worker that ended because a disk is read-only or away for a moment would be given up by supervisord after a few such
ends, and its port would queue peers for ever. So it stays, says why it does not serve, and tries again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from listener.archive import Archive
from listener.config import Config
from listener.report import Report

_LOG = logging.getLogger("listener.opening")
_FIRST_PAUSE_SECONDS = 1.0
_LAST_PAUSE_SECONDS = 10.0
_REPORT_SECONDS = 1.0

_Made = TypeVar("_Made")


def open_archive(config: Config) -> Archive:
    """The service's directories and its spool, made when missing.

    Raises: OSError: one of them cannot be made or used; nothing is left open then.
    """
    return Archive(config.data_dir, config.log_dir, config.tmp_dir, is_durable=config.is_durable)


def until_done(attempt: Callable[[], _Made], sleep: Callable[[float], None] = time.sleep) -> _Made:
    """What the attempt returns; on an OSError it is made again after a pause of 1 s that grows to 10 s, without end.

    Each reason is logged once in a row. Only other exceptions, and a signal's default action, end it.
    """
    said = ""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            made = attempt()
        except OSError as error:
            reason = _reason(error)
            if reason != said:
                _LOG.error("cannot serve yet, and will try again: %s", reason)
                said = reason
            sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE_SECONDS)
        else:
            if said:
                _LOG.info("what was in the way is gone: %s", said)
            return made


def pause_and_report(report: Report, seconds: float) -> None:
    """A pause in which the worker goes on to report, as one that takes nothing: it waits, and does not hang."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        report.write(open_associations=0, images=0, size_bytes=0, is_draining=True)
        time.sleep(min(left, _REPORT_SECONDS))


def _reason(error: OSError) -> str:
    """Without the names of temporary files, which differ each time."""
    text = error.strerror or type(error).__name__
    return f"{text}: {error.filename}" if str(error.filename).startswith("/") else text
