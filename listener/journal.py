"""What a worker writes of its connections: listen.run.log as the service file words it, admission.jsonl of all."""

from __future__ import annotations

import logging
import os
import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING

from listener.admission import Refusal
from listener.admissionlog import ADMISSION_LOG, format_admission
from listener.runlog import RUN_LOG, CutOff, append_line, format_abandoned, format_line, format_refusal

if TYPE_CHECKING:
    from listener.archive import Archive
    from listener.config import Config
    from listener.connection import Connection
    from listener.underway import Transfer

# What is logged here is what pfdcm shows as a worker's last error, and tests and operators look for under this name.
_LOG = logging.getLogger("listener.server")
# A line for each refused connection would be as dear as a connection to who scans ports; the report counts them all.
_REFUSALS_A_SECOND = 10


class Journal:
    """Of one worker; any of its threads may use it. A line that cannot be written is an error in the log."""

    def __init__(self, config: Config, archive: Archive) -> None:
        self._config = config
        self._archive = archive
        self._mutex = threading.Lock()
        self._refusals = (0.0, 0)

    def note_refusal(self, peer: str, refusal: Refusal) -> None:
        """A connection was closed unheard; of more than ten in a second the rest is counted only."""
        now = time.monotonic()
        with self._mutex:
            second, count = self._refusals
            second, count = self._refusals = (now, 1) if now - second >= 1 else (second, count + 1)
        if count > _REFUSALS_A_SECOND:
            return
        when, service = datetime.now().astimezone(), self._config.service
        if said := self._config.log_on_failure:
            self._say(format_refusal(now=when, service=service, peer=peer, why=refusal.text, said=said))
        self._append(
            ADMISSION_LOG,
            format_admission(now=when, service=service, address=peer, is_admitted=False, reason=refusal.text),
        )

    def note_end(self, connection: Connection, peer: str, seconds: float) -> None:
        """A connection is over: its association was served, or told why not."""
        association, tally = connection.association, connection.tally
        refusal, now, config = association.refusal, datetime.now().astimezone(), self._config
        said = config.log_on_success
        if refusal is not None:
            said = tuple({*said} - {"HOST"} | {*config.log_on_failure}) if config.log_on_failure else ()
        if said:
            self._say(
                format_line(
                    now=now,
                    service=config.service,
                    peer=peer,
                    calling_ae=association.calling_ae,
                    called_ae=association.called_ae,
                    images=tally.images,
                    size_bytes=tally.size_bytes,
                    refused=tally.refused,
                    outcome=tally.outcome,
                    pid=os.getpid(),
                    seconds=seconds,
                    said=said,
                    cut_off=tally.cut_off,
                )
            )
        self._append(
            ADMISSION_LOG,
            format_admission(
                now=now,
                service=config.service,
                address=peer,
                is_admitted=refusal is None,
                reason=tally.outcome if refusal is None else refusal.text,
                calling_ae=association.calling_ae,
                called_ae=association.called_ae,
                images=tally.images,
                size_bytes=tally.size_bytes,
                images_refused=tally.refused,
                seconds=seconds,
            ),
        )

    def note_abandoned(self, transfer: Transfer) -> None:
        """An image was on its way when a former worker was killed."""
        self._say(
            format_abandoned(
                now=datetime.now().astimezone(),
                service=self._config.service,
                peer=transfer.peer,
                calling_ae=transfer.calling_ae,
                called_ae=transfer.called_ae,
                cut_off=CutOff(transfer.sop_instance, None),
            )
        )

    def _say(self, line: str) -> None:
        _LOG.info("%s", line.rstrip("\n"))
        self._append(RUN_LOG, line)

    def _append(self, name: str, line: str) -> None:
        try:
            append_line(self._archive.log_fd, line, self._config.run_log_bytes, name)
        except OSError as error:
            _LOG.error("%s cannot be written: %s", name, error.strerror)
