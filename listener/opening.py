"""How a worker comes by its directories: whatever it takes.

A worker that ended because a disk is read-only or away for a moment would be given up by supervisord after a few such
ends, and its port would queue peers for ever. So it stays, says why it does not serve, and tries again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from listener.config import Config
from listener.series import Archive
from listener.spool import Spool, spool_directory

_LOG = logging.getLogger("listener.opening")
_FIRST_PAUSE_SECONDS = 1.0
_LAST_PAUSE_SECONDS = 10.0

_Made = TypeVar("_Made")


def open_archive(config: Config) -> Archive:
    """The service's directories and its spool, made when missing.

    Raises: OSError: one of them cannot be made or used; nothing is left open then.
    """
    spool = Spool(spool_directory(config.tmp_dir, config.data_dir))
    try:
        return Archive(config.data_dir, config.log_dir, spool, is_durable=config.is_durable)
    except OSError:
        spool.close()
        raise


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


def _reason(error: OSError) -> str:
    """Without the names of temporary files, which differ each time."""
    text = error.strerror or type(error).__name__
    return f"{text}: {error.filename}" if str(error.filename).startswith("/") else text
