"""The storage listeners' processes: what is declared is carried out by supervisord, step by step of a plan.

A change that fails leaves what ran before it. Each group's record in the state directory says what it was brought up
as, written only once it has answered, so a pfdcm that was killed in mid-change, or a new one, knows what it finds.
"""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil

import pfdcmd
from pfdcmd.edge import superdaemon
from pfdcmd.edge.atomicfile import replace_text
from pfdcmd.edge.echo import answers_echo
from pfdcmd.edge.lastwords import last_words
from pfdcmd.edge.supervisorrpc import SupervisorRpc
from pfdcmd.errors import SupervisorFault
from pfdcmd.service.config import ServiceConfig
from pfdcmd.service.plan import Step, StepKind, plan
from pfdcmd.service.state import ENDED, FAILED, SERVING, Worker, WorkerState
from pfdcmd.wire.supervisorconf import SupervisorPaths, check_state_dir, format_listener_configuration

_POLL_SECONDS = 0.1
_ECHO_SECONDS = 2.0
_FIRST_ECHO_SECONDS = 0.5  # a worker that has just begun may be about to fail: look again soon
_LEAVE_SECONDS = 10.0
_LOCK_SECONDS = 120.0
_END_MARGIN_SECONDS = 20.0

_log = logging.getLogger(__name__)


class Supervisord:
    """Implements actions.context.ListenersPort. One per state directory and process; several processes may share one.

    Args: state_dir: supervisord's own; made when missing, private to the user.
          start_seconds: how long a listener may take until it answers C-ECHO.
    """

    def __init__(self, state_dir: Path, start_seconds: float) -> None:
        self._paths = SupervisorPaths(state_dir)
        self._start_seconds = start_seconds
        self._rpc = SupervisorRpc(self._paths.socket)
        self._executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="supervisord")
        self._one_change = asyncio.Lock()

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Hold off other changes while a service is declared, written and applied."""
        async with self._one_change:
            yield

    async def apply(self, service: ServiceConfig) -> None:
        """Make the running listener of this name what `service` says; return once its port answers C-ECHO.

        A listener that is so already is not disturbed; one that is disabled is ended. Other services are not touched.

        Raises: ServiceFault: the state directory cannot be used.
                SupervisorFault: it did not come up; the message says why, with the worker's last words.
                StorageFault: its configuration cannot be written.
        """
        await asyncio.get_running_loop().run_in_executor(self._executor, self._apply, service)

    async def shutdown(self) -> None:
        """End the listeners and supervisord, and return when their processes are gone.

        Open associations may finish first, for as long as their service's `drain_seconds`.

        Raises: SupervisorFault: something is left.
        """
        await asyncio.get_running_loop().run_in_executor(self._executor, self._shutdown)

    def close(self) -> None:
        """Let the threads end once their work is done; the listeners go on."""
        self._executor.shutdown(wait=True)

    def _apply(self, service: ServiceConfig) -> None:
        check_state_dir(self._paths.state_dir)
        with superdaemon.lock(self._paths, _LOCK_SECONDS):
            superdaemon.ensure_running(self._paths, self._rpc)
            running = {group: self._load_record(group) for group in self._groups_of(service.name)}
            steps = plan([service], running)
            _log.info("service %s: %s", service.name, ", ".join(f"{step.kind.value} {step.group}" for step in steps))
            for step in steps:
                self._take(step)

    def _shutdown(self) -> None:
        if not self._paths.state_dir.is_dir():
            return
        records = [self._load_record(path.stem) for path in self._paths.services_dir.glob("*.applied")]
        drain_seconds = max((record.drain_seconds for record in records if record), default=0)
        with superdaemon.lock(self._paths, _LOCK_SECONDS):
            superdaemon.end(self._paths, self._rpc, drain_seconds + _END_MARGIN_SECONDS)

    def _take(self, step: Step) -> None:
        service = step.service
        if service is None:
            self._remove(step.group)
        elif step.kind is StepKind.KEEP:
            self._start_ended(service)
            self._await_answer(service)
        elif step.kind is StepKind.ROLL:
            self._roll(service)
        elif step.kind is StepKind.REPLACE:
            self._end_group(service.group, service.drain_seconds + _END_MARGIN_SECONDS)
            self._add(service)
        else:
            self._add(service)

    def _add(self, service: ServiceConfig) -> None:
        self._await_free_port(service)
        self._save_listener_configuration(service)
        self._configure(service)
        self._rpc.reload()
        try:
            self._rpc.add(service.group)
            self._await_answer(service)
        except SupervisorFault:
            self._remove(service.group)
            raise
        self._save_record(service)

    def _roll(self, service: ServiceConfig) -> None:
        """Replace the workers one by one; each ends when its associations have, and begins with the new directories."""
        self._forget(service.group)
        self._save_listener_configuration(service)
        self._start_ended(service)
        for worker in self._workers(service.group):
            self._replace_worker(worker, service.drain_seconds + self._start_seconds)
        self._await_answer(service)
        self._save_record(service)

    def _replace_worker(self, old: Worker, seconds: float) -> None:
        self._rpc.terminate(old)
        self._wait(
            lambda: self._is_replaced(old),
            seconds,
            lambda: f"Worker {old.full_name} has not been replaced: {self._explain([old])}",
        )

    def _is_replaced(self, old: Worker) -> bool:
        new = next((w for w in self._workers(old.group) if w.name == old.name), None)
        if new is not None and new.state is WorkerState.FATAL:
            raise SupervisorFault(f"Worker {old.full_name} does not start: {self._explain([new])}")
        return new is not None and new.pid not in (0, old.pid) and new.state is WorkerState.RUNNING

    def _remove(self, group: str) -> None:
        try:
            self._end_group(group, _LEAVE_SECONDS)
        except SupervisorFault as fault:
            _log.warning("%s It goes on until they are finished.", fault.message)
        self._forget(group)
        self._configure()

    def _end_group(self, group: str, seconds: float) -> None:
        self._rpc.stop(group)
        self._wait(lambda: self._rpc.remove(group), seconds, lambda: f"{group} still has associations open.")

    def _start_ended(self, service: ServiceConfig) -> None:
        for worker in self._workers(service.group):
            if worker.state in ENDED:
                self._rpc.start(worker)

    def _await_answer(self, service: ServiceConfig) -> None:
        self._wait(
            lambda: self._answers(service),
            self._start_seconds,
            lambda: (
                f"{service.name} does not answer C-ECHO on port {service.port} within {self._start_seconds:g} s: "
                f"{self._explain(self._workers(service.group))}"
            ),
        )

    def _answers(self, service: ServiceConfig) -> bool:
        workers = self._workers(service.group)
        if all(worker.state in ENDED for worker in workers):
            raise SupervisorFault(f"{service.name} does not start: {self._explain(workers)}")
        if not any(worker.state in SERVING for worker in workers):
            return False
        is_settled = any(worker.state is WorkerState.RUNNING for worker in workers)
        return answers_echo(service.local_address, _ECHO_SECONDS if is_settled else _FIRST_ECHO_SECONDS)

    def _await_free_port(self, service: ServiceConfig) -> None:
        """Check what supervisord would only fail at, without saying why; wait for workers of a killed supervisord."""
        deadline = time.monotonic() + self._start_seconds
        while error := _bind_error(service.bind, service.port):
            if error.errno != errno.EADDRINUSE:
                raise SupervisorFault(_explain_bind(service, error))
            supervised = {worker.pid for worker in self._rpc.workers()}
            orphans = [p for p in superdaemon.find_workers(self._paths) if p.pid not in supervised]
            if not orphans:
                raise SupervisorFault(_explain_bind(service, error))
            if time.monotonic() > deadline:
                for orphan in orphans:
                    with suppress(psutil.NoSuchProcess):
                        orphan.kill()
                deadline += self._start_seconds
            time.sleep(_POLL_SECONDS)

    def _wait(self, is_done: Callable[[], bool], seconds: float, complaint: Callable[[], str]) -> None:
        deadline = time.monotonic() + seconds
        while not is_done():
            if time.monotonic() > deadline:
                raise SupervisorFault(complaint())
            time.sleep(_POLL_SECONDS)

    def _explain(self, workers: Iterable[Worker]) -> str:
        chosen = sorted(workers, key=lambda worker: worker.state not in FAILED)
        if not chosen:
            return "it has no processes."
        worker = chosen[0]
        said = last_words(Path(worker.log_file)) or worker.spawn_error or "nothing"
        return f"{worker.name} is {worker.state.value} and said last: {said}"

    def _workers(self, group: str) -> list[Worker]:
        return [worker for worker in self._rpc.workers() if worker.group == group]

    def _groups_of(self, name: str) -> list[str]:
        groups = dict.fromkeys(worker.group for worker in self._rpc.workers())
        return [group for group in groups if group.rpartition("-")[0] == name]

    def _configure(self, *new: ServiceConfig) -> None:
        """Write supervisord.conf with what runs, as recorded, and what is about to."""
        records = [self._load_record(group) for group in dict.fromkeys(w.group for w in self._rpc.workers())]
        superdaemon.write_configuration(self._paths, [*filter(None, records), *new])

    def _save_listener_configuration(self, service: ServiceConfig) -> None:
        replace_text(self._paths.listener_configuration(service.group), format_listener_configuration(service))

    def _save_record(self, service: ServiceConfig) -> None:
        record = {"version": pfdcmd.__version__, "service": dataclasses.asdict(service)}
        replace_text(self._paths.record(service.group), json.dumps(record, indent=2) + "\n")

    def _load_record(self, group: str) -> ServiceConfig | None:
        """What a group was brought up as; None when that is not known, or was another version's business."""
        try:
            record = json.loads(self._paths.record(group).read_text(encoding="utf-8"))
            return ServiceConfig(**record["service"]) if record["version"] == pfdcmd.__version__ else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _forget(self, group: str) -> None:
        try:
            self._paths.record(group).unlink(missing_ok=True)
        except OSError as error:
            raise SupervisorFault(f"The record of {group} cannot be taken back: {error.strerror}.") from error


def _bind_error(host: str, port: int) -> OSError | None:
    """Bind as supervisord will, and say what stands against it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            return error
    return None


def _explain_bind(service: ServiceConfig, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {service.port} is taken by another program; set /xinetd/servicePort to a free one."
    if error.errno == errno.EACCES:
        return f"Port {service.port} may not be opened by this user; set /xinetd/servicePort above 1023."
    return f"{service.bind}:{service.port} cannot be opened: {error.strerror}."
