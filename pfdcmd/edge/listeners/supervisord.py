"""The storage listeners' processes: what shall run is carried out by supervisord, step by step of a plan.

A change that fails leaves what ran before it. Several pfdcm processes may share one state directory.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pfdcmd.edge.listeners import superdaemon
from pfdcmd.edge.listeners.groups import Groups
from pfdcmd.edge.listeners.records import forget_all_records, recorded_drain_seconds
from pfdcmd.edge.listeners.reports import is_hung, read_report
from pfdcmd.edge.listeners.supervisorrpc import SupervisorAbsent, SupervisorRpc
from pfdcmd.errors import SupervisorFault
from pfdcmd.service.config import ServiceConfig
from pfdcmd.service.plan import Step, StepKind, plan
from pfdcmd.service.state import FAILED, Worker, WorkerReport, WorkerState
from pfdcmd.wire.supervisorconf import SupervisorPaths, check_state_dir

_LOCK_SECONDS = 120.0
_END_MARGIN_SECONDS = 20.0
_TRY_AGAIN_SECONDS = 120.0
"""What was given up may have been for the moment only: a full disk, say. Far from a busy loop."""

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True)
class Observed:
    """A worker, what it reports, and, of one that has failed, its last words."""

    worker: Worker
    report: WorkerReport | None
    last_words: str = ""


class Supervisord:
    """One per state directory and process."""

    def __init__(self, state_dir: Path, start_seconds: float) -> None:
        """Args: state_dir: supervisord's own; made when missing, private to the user.
        start_seconds: how long a listener may take until it serves.
        """
        self._paths = SupervisorPaths(state_dir)
        self._rpc = SupervisorRpc(self._paths.socket)
        self._groups = Groups(self._paths, self._rpc, start_seconds)
        self._executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="supervisord")
        self._suspects: frozenset[int] = frozenset()

    async def running(self) -> dict[str, ServiceConfig | None]:
        """Group -> what it was brought up as (None: not known), of those that are not on their way out."""
        return await self._run(self._running)

    async def apply(
        self, desired: Iterable[ServiceConfig], retained: Iterable[str] = (), renewed: Iterable[str] = ()
    ) -> tuple[list[Step], dict[str, str]]:
        """Make what runs what is desired, and leave the services retained as they are.

        Listeners that are so already are not disturbed, but those renewed get new workers.

        Returns: the steps taken, and service name -> why it is not as desired, for those that are not.
        Raises:  ServiceFault: the state directory cannot be used. SupervisorFault: the supervisor failed.
                 StorageFault: a configuration cannot be written.
        """
        return await self._run(lambda: self._apply(list(desired), frozenset(retained), frozenset(renewed)))

    async def observe(self) -> list[Observed]:
        """Every worker as it is now; none when there is no supervisord. Raises: SupervisorFault."""
        return await self._run(self._observe)

    async def look_after(self, heartbeat_seconds: float) -> bool:
        """Replace workers that hang, try those again that were given up, forget groups that have ended, reap orphans.

        Args:    heartbeat_seconds: a worker that has not reported for longer hangs.
        Returns: False when the supervisor is gone and has left something unsupervised.
        Raises:  SupervisorFault.
        """
        return await self._run(lambda: self._look_after(heartbeat_seconds))

    async def shutdown(self) -> None:
        """End the listeners and supervisord, and return when their processes are gone.

        Open associations may finish first, for as long as their service's `drain_seconds`.

        Raises: SupervisorFault: something is left.
        """
        await self._run(self._shutdown)

    def close(self) -> None:
        """Let the threads end once their work is done; the listeners go on."""
        self._executor.shutdown(wait=True)

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _running(self) -> dict[str, ServiceConfig | None]:
        try:
            return self._groups.running()
        except SupervisorAbsent:
            return {}

    def _apply(
        self, desired: list[ServiceConfig], retained: frozenset[str], renewed: frozenset[str]
    ) -> tuple[list[Step], dict[str, str]]:
        check_state_dir(self._paths.state_dir)
        if not desired and not self._rpc.is_running():
            forget_all_records(self._paths)
            return [], {}
        with superdaemon.lock(self._paths, _LOCK_SECONDS):
            superdaemon.ensure_running(self._paths, self._rpc)
            self._groups.tidy()
            running = self._groups.running()
            leaving = self._groups.by_name().keys() - running.keys()
            steps = plan(desired, running, retained=retained, leaving=leaving, renewed=renewed)
            for step in steps:
                if step.kind is not StepKind.KEEP:
                    _log.info("service %s: %s %s", step.service_name, step.kind.value, step.group)
            faults = self._take(steps)
            self._groups.tidy()
        return steps, faults

    def _take(self, steps: list[Step]) -> dict[str, str]:
        """Carry the steps out. Returns: service name -> why its step failed."""
        by_kind: dict[StepKind, list[Step]] = {kind: [s for s in steps if s.kind is kind] for kind in StepKind}
        kept = _services(by_kind[StepKind.KEEP])
        wanted = _services(by_kind[StepKind.ADD] + by_kind[StepKind.SUCCEED])
        names = {step.group: step.service_name for step in steps}
        former: dict[str, list[str]] = {}
        for step in by_kind[StepKind.RETIRE]:
            former.setdefault(step.service_name, []).append(step.group)
        for group in kept:
            self._groups.start_ended(group)
        ending = [step.group for step in by_kind[StepKind.RELEASE]]
        self._groups.retire(ending)
        self._groups.await_retired(ending)

        def retire_former(group: str) -> None:
            ending.extend(groups := former.pop(names[group], []))
            self._groups.retire(groups)

        # removed services, and stale groups of unchanged ones; those of changed services when their successor serves
        for name in former.keys() - {names[group] for group in wanted}:
            self._groups.retire(former[name])
            ending += former[name]
        faults = self._groups.bring_up(wanted, retire_former) if wanted else {}
        faults |= self._groups.await_serving(kept)
        self._groups.await_retired(ending)
        return {names[group]: fault for group, fault in faults.items()}

    def _observe(self) -> list[Observed]:
        try:
            workers = self._rpc.workers()
        except SupervisorAbsent:
            return []
        return [
            Observed(
                worker,
                read_report(self._paths, worker) if worker.pid else None,
                self._groups.explain([worker]) if worker.state in FAILED else "",
            )
            for worker in workers
        ]

    def _look_after(self, heartbeat_seconds: float) -> bool:
        superdaemon.reap_orphans()
        try:
            workers = self._rpc.workers()
        except SupervisorAbsent:
            return not any(self._paths.services_dir.glob("*.applied"))
        suspects = {w for w in workers if is_hung(w, read_report(self._paths, w), heartbeat_seconds)}
        for worker in suspects:
            # twice in a row: what was read the first time may have been half written
            if worker.pid in self._suspects:
                _log.error("worker %s (%d) hangs and is replaced", worker.full_name, worker.pid)
                self._rpc.kill(worker)
        self._suspects = frozenset(worker.pid for worker in suspects)
        for worker in workers:
            if worker.state is WorkerState.FATAL and worker.age_seconds > _TRY_AGAIN_SECONDS:
                _log.info("worker %s was given up and is tried again", worker.full_name)
                self._rpc.start(worker)
        try:
            with superdaemon.lock(self._paths, 0.0):
                self._groups.tidy()
        except SupervisorFault as fault:
            _log.debug("%s", fault.message)
        return True

    def _shutdown(self) -> None:
        if not self._paths.state_dir.is_dir():
            return
        drain_seconds = recorded_drain_seconds(self._paths)
        with superdaemon.lock(self._paths, _LOCK_SECONDS):
            superdaemon.end(self._paths, self._rpc, drain_seconds + _END_MARGIN_SECONDS)


def _services(steps: Iterable[Step]) -> Mapping[str, ServiceConfig]:
    return {step.group: step.service for step in steps if step.service is not None}
