"""What workers report of themselves, read from the files that they keep writing over."""

from __future__ import annotations

import time
from collections.abc import Iterable

from pfdcmd.service.state import Worker, WorkerReport, WorkerState
from pfdcmd.wire.supervisorconf import SupervisorPaths
from pfdcmd.wire.workerreport import REPORT_BYTES, decode_report

_READS = 3
_FRESH_SECONDS = 10.0
"""Workers report every second; on a machine that is too busy, less often."""


def read_report(paths: SupervisorPaths, worker: Worker) -> WorkerReport | None:
    """The report of this very process; None when it has not reported yet, or has none."""
    file = paths.report(worker.group, worker.number)
    for _ in range(_READS):
        try:
            with file.open("rb") as stream:
                data = stream.read(REPORT_BYTES)
        except OSError:
            return None
        report = decode_report(data)
        if report is not None:
            return report if report.pid == worker.pid else None
    return None


def serves(paths: SupervisorPaths, workers: Iterable[Worker]) -> bool:
    """Whether at least one of the workers takes connections."""
    reports = [read_report(paths, worker) for worker in workers if worker.pid]
    oldest = time.monotonic() - _FRESH_SECONDS
    return any(report is not None and not report.is_draining and report.heartbeat > oldest for report in reports)


def is_hung(worker: Worker, report: WorkerReport | None, seconds: float) -> bool:
    """Whether a process that should report has not done so for longer than that."""
    if not worker.pid or worker.state not in (WorkerState.RUNNING, WorkerState.STARTING, WorkerState.STOPPING):
        return False
    if report is None:
        return worker.age_seconds > seconds
    return time.monotonic() - report.heartbeat > seconds
