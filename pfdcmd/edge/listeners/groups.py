"""Groups of worker processes: brought up on their address, retired, forgotten. Blocking; the caller holds the lock."""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from pfdcmd.edge.atomicfile import replace_text
from pfdcmd.edge.listeners import superdaemon
from pfdcmd.edge.listeners.lastwords import last_words
from pfdcmd.edge.listeners.records import forget_group, forget_record, load_record, save_record
from pfdcmd.edge.listeners.reports import read_report, serves
from pfdcmd.edge.listeners.supervisorrpc import SupervisorRpc
from pfdcmd.errors import SupervisorFault
from pfdcmd.service.config import ServiceConfig
from pfdcmd.service.state import ENDED, FAILED, LEAVING, REMOVABLE, Worker
from pfdcmd.wire.listenerconf import format_listener_configuration
from pfdcmd.wire.supervisorconf import BACKLOG, SupervisorPaths

_POLL_SECONDS = 0.05
_LEAVE_SECONDS = 10.0

_log = logging.getLogger(__name__)


class Groups:
    """The groups of one supervisord."""

    def __init__(self, paths: SupervisorPaths, rpc: SupervisorRpc, start_seconds: float) -> None:
        """start_seconds: how long a group may take until one of its workers serves."""
        self._paths = paths
        self._rpc = rpc
        self._start_seconds = start_seconds

    def by_name(self) -> dict[str, list[Worker]]:
        """Every group's workers."""
        groups: dict[str, list[Worker]] = {}
        for worker in self._rpc.workers():
            groups.setdefault(worker.group, []).append(worker)
        return groups

    def running(self) -> dict[str, ServiceConfig | None]:
        """Group -> what it was brought up as, of those that have not been retired."""
        return {
            group: load_record(self._paths, group)
            for group, workers in self.by_name().items()
            if not all(worker.state in LEAVING for worker in workers)
        }

    def bring_up(self, wanted: Mapping[str, ServiceConfig], is_up: Callable[[str], None]) -> dict[str, str]:
        """Bring up new groups, all at once; is_up is called with each as soon as it serves.

        Returns: group -> why it is not up; what is left of those is ended.
        Raises: SupervisorFault: the supervisor failed. StorageFault: a file cannot be written.
        """
        faults: dict[str, str] = {}
        for group, service in wanted.items():
            replace_text(
                self._paths.listener_configuration(group),
                format_listener_configuration(service, self._paths.counts(service.name), self._paths.receipts_dir),
            )
        self._configure(wanted)
        self._rpc.reload()
        for group, service in wanted.items():
            fault = self._begin(group, service)
            if fault:
                faults[group] = fault
        started = {group: service for group, service in wanted.items() if group not in faults}

        def take_on(group: str) -> None:
            save_record(self._paths, group, started[group])
            is_up(group)

        faults |= self.await_serving(started, take_on)
        for group in faults:
            self._rpc.stop(group)
        return faults

    def await_serving(
        self, groups: Mapping[str, ServiceConfig], is_up: Callable[[str], None] = lambda _: None
    ) -> dict[str, str]:
        """Wait until each group has a worker that takes connections; is_up is called with each that has.

        Returns: group -> why it has none.
        """
        faults: dict[str, str] = {}
        waiting = dict(groups)
        deadline = time.monotonic() + self._start_seconds
        while waiting:
            by_name = self.by_name()
            for group, service in list(waiting.items()):
                workers = by_name.get(group, [])
                if serves(self._paths, workers):
                    del waiting[group]
                    is_up(group)
                elif all(worker.state in ENDED for worker in workers):
                    faults[group] = f"{service.name} does not start: {self.explain(workers)}"
                    del waiting[group]
                elif time.monotonic() > deadline:
                    faults[group] = (
                        f"{service.name} does not serve port {service.port} within {self._start_seconds:g} s: "
                        f"{self.explain(workers)}"
                    )
                    del waiting[group]
            if waiting:
                time.sleep(_POLL_SECONDS)
        return faults

    def start_ended(self, group: str) -> None:
        """Start the workers that the supervisor has given up."""
        for worker in self.by_name().get(group, []):
            if worker.state in ENDED:
                self._rpc.start(worker)

    def retire(self, groups: Iterable[str]) -> None:
        """Have groups take nothing new; returns at once. Raises: SupervisorFault: a record cannot be taken back."""
        for group in groups:
            forget_record(self._paths, group)
            self._rpc.stop(group)

    def await_retired(self, groups: Iterable[str]) -> None:
        """Return when each of these groups has ended, or is finishing what is open.

        Raises: SupervisorFault: one does neither.
        """
        waiting = list(groups)
        self._wait(
            lambda: all(self._has_left(group) for group in waiting),
            _LEAVE_SECONDS,
            lambda: f"{', '.join(waiting)} cannot be retired.",
        )

    def tidy(self) -> None:
        """Forget the groups that have been retired and have ended."""
        for group, workers in self.by_name().items():
            if not self._is_retired(group, workers):
                continue
            if all(worker.state in REMOVABLE for worker in workers) and self._rpc.remove(group):
                forget_group(self._paths, group)
                self._configure({})

    def explain(self, workers: Iterable[Worker]) -> str:
        """The state and the last words of the worker that fared worst."""
        chosen = sorted(workers, key=lambda worker: worker.state not in FAILED)
        if not chosen:
            return "it has no processes."
        worker = chosen[0]
        said = last_words(Path(worker.log_file)) or worker.spawn_error or "nothing"
        return f"{worker.name} is {worker.state.value} and said last: {said}"

    def _begin(self, group: str, service: ServiceConfig) -> str:
        """Open the address and start the workers. Returns: why that cannot be, or nothing."""
        fault = self._open(group, service)
        if fault:
            return fault
        try:
            self._rpc.add(group)
        except SupervisorFault as refusal:
            self._rpc.release(group)
            return refusal.message
        return ""

    def _open(self, group: str, service: ServiceConfig) -> str:
        """Open the address; wait for workers that a killed supervisord left on it."""
        deadline = time.monotonic() + self._start_seconds
        while error := self._rpc.open(group, service.address, BACKLOG):
            orphans: list[psutil.Process] = []
            if error == errno.errorcode[errno.EADDRINUSE]:
                supervised = {worker.pid for worker in self._rpc.workers()}
                orphans = [p for p in superdaemon.find_workers(self._paths) if p.pid not in supervised]
            if not orphans:
                return _explain_address(service, error)
            if time.monotonic() > deadline:
                for orphan in orphans:
                    with suppress(psutil.NoSuchProcess):
                        orphan.kill()
                deadline += self._start_seconds
            time.sleep(_POLL_SECONDS)
        return ""

    def _has_left(self, group: str) -> bool:
        workers = self.by_name().get(group, [])
        living = [worker for worker in workers if worker.pid]
        reports = [read_report(self._paths, worker) for worker in living]
        return all(report is not None and report.is_draining and report.associations_open for report in reports)

    def _is_retired(self, group: str, workers: Iterable[Worker]) -> bool:
        """A group without a record that ends: one that has failed to come up is one, too."""
        is_leaving = all(worker.state in LEAVING | REMOVABLE for worker in workers)
        return is_leaving and load_record(self._paths, group) is None

    def _configure(self, new: Mapping[str, ServiceConfig]) -> None:
        """Write supervisord.conf with what runs, as recorded, and what is about to."""
        recorded = {group: load_record(self._paths, group) for group in self.by_name()}
        groups = {group: service for group, service in recorded.items() if service is not None} | dict(new)
        superdaemon.write_configuration(self._paths, groups.items())

    def _wait(self, is_done: Callable[[], bool], seconds: float, complaint: Callable[[], str]) -> None:
        deadline = time.monotonic() + seconds
        while not is_done():
            if time.monotonic() > deadline:
                raise SupervisorFault(complaint())
            time.sleep(_POLL_SECONDS)


def _explain_address(service: ServiceConfig, error: str) -> str:
    if error == errno.errorcode[errno.EADDRINUSE]:
        return f"Port {service.port} is taken by another program; give {service.name} a free one."
    if error == errno.errorcode[errno.EACCES]:
        return f"Port {service.port} may not be opened by this user; give {service.name} one above 1023."
    return f"{service.bind}, port {service.port} cannot be opened: {error}."
