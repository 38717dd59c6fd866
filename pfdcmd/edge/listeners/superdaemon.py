"""supervisord itself: found again, started, ended. Blocking; the caller holds the state directory's lock.

It becomes a daemon of its own session, so it and the listeners outlive pfdcm. What a killed supervisord leaves (its
socket and pid file, and workers that hold the listening port) is recognised when the next one is started.
"""

from __future__ import annotations

import fcntl
import logging
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from pfdcmd.edge.atomicfile import replace_text
from pfdcmd.edge.listeners.supervisorrpc import SupervisorAbsent, SupervisorRpc
from pfdcmd.errors import StorageFault, SupervisorFault
from pfdcmd.service.config import ServiceConfig
from pfdcmd.wire.supervisorconf import SupervisorPaths, format_supervisord_conf

_START_SECONDS = 20.0
_POLL_SECONDS = 0.05
_FILE_LIMIT = 16_384
"""A worker needs a few for each association: its connection, the image on its way in, locks of its series."""
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "VIRTUAL_ENV")

_log = logging.getLogger(__name__)


def write_configuration(paths: SupervisorPaths, groups: Iterable[tuple[str, ServiceConfig]]) -> None:
    """Write supervisord.conf for these groups and the services that they serve. Raises: StorageFault."""
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    text = format_supervisord_conf(
        paths,
        groups,
        interpreter=sys.executable,
        user="root" if os.geteuid() == 0 else None,
        file_limit=_FILE_LIMIT if hard_limit == resource.RLIM_INFINITY else min(_FILE_LIMIT, hard_limit),
    )
    replace_text(paths.configuration, text, mode=0o600)


@contextmanager
def lock(paths: SupervisorPaths, wait_seconds: float) -> Iterator[None]:
    """Hold the state directory: of all threads and all pfdcm processes one at a time changes what is supervised.

    Raises: SupervisorFault: another one did not finish in time, or the directory cannot be used.
    """
    deadline = time.monotonic() + wait_seconds
    try:
        for directory in (paths.state_dir, paths.services_dir, paths.live_dir, paths.log_file.parent):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(paths.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SupervisorFault(
            f"The state directory {paths.state_dir} cannot be used ({error.strerror}); see --stateDir."
        ) from error
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise SupervisorFault("Another change of the listeners has not finished; try again.") from None
                time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def ensure_running(paths: SupervisorPaths, rpc: SupervisorRpc) -> None:
    """Find the supervisord of this state directory, or start one that supervises nothing yet.

    Raises: SupervisorFault: it does not start; the message has its own words.
    """
    if rpc.is_running():
        return
    deadline = time.monotonic() + _START_SECONDS
    _wait_for_end(paths, rpc, deadline)
    end_orphans(paths)
    try:
        # without groups: supervisord gives up altogether when the port of one is taken at its start
        write_configuration(paths, [])
    except StorageFault as fault:
        raise SupervisorFault(f"{fault.message} See --stateDir.") from fault
    started = _daemonize(paths)
    if started.returncode:
        words = " ".join(started.stdout.split())[-500:]
        raise SupervisorFault(f"The listener's supervisor does not start: {words or 'it says nothing'}.")
    while not rpc.is_running():
        if time.monotonic() > deadline:
            raise SupervisorFault(f"The listener's supervisor does not answer; see {paths.log_file}.")
        time.sleep(_POLL_SECONDS)
    _log.info("supervisord started, process %d", rpc.pid())


def _daemonize(paths: SupervisorPaths) -> subprocess.CompletedProcess[str]:
    """Run supervisord until it has gone into the background or has given up."""
    try:
        return subprocess.run(
            [sys.executable, "-P", "-m", "supervisor.supervisord", "-c", str(paths.configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            start_new_session=True,
            check=False,
            timeout=_START_SECONDS,
            text=True,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SupervisorFault("The listener's supervisor cannot be started.", cause=str(error)) from error


def end(paths: SupervisorPaths, rpc: SupervisorRpc, wait_seconds: float) -> None:
    """Have supervisord end its workers and itself, and return when the processes are gone.

    Raises: SupervisorFault: something is left after `wait_seconds`.
    """
    deadline = time.monotonic() + wait_seconds
    try:
        pids = [rpc.pid(), *(worker.pid for worker in rpc.workers() if worker.pid)]
        if rpc.is_running():
            rpc.shutdown()
    except SupervisorAbsent:
        pids = end_orphans(paths)
    while remaining := [pid for pid in pids if is_alive(pid)]:
        if time.monotonic() > deadline:
            raise SupervisorFault(f"The listeners do not end: processes {remaining} are left.")
        time.sleep(_POLL_SECONDS)


def end_orphans(paths: SupervisorPaths) -> list[int]:
    """SIGTERM to the workers of a supervisord that is gone; they hold its ports until they end. Returns their pids."""
    orphans = find_workers(paths)
    for process in orphans:
        _log.warning("ending listener worker %d, whose supervisord is gone", process.pid)
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    return [process.pid for process in orphans]


def find_workers(paths: SupervisorPaths) -> list[psutil.Process]:
    """Processes of this user whose command line is that of a worker of this state directory."""
    found = []
    for process in psutil.process_iter(["cmdline", "uids"]):
        words = process.info["cmdline"] or []
        if "--config" not in words[:-1] or not process.info["uids"] or process.info["uids"].real != os.getuid():
            continue
        configuration = Path(words[words.index("--config") + 1])
        if configuration.parent == paths.services_dir and "listener.cli" in words:
            found.append(process)
    return found


def is_alive(pid: int) -> bool:
    """Whether the process exists and has not ended; one that nobody has reaped has ended."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # in a container pfdcm may have inherited it
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def reap_orphans(first_pid: int = 1) -> None:
    """As a container's first process, wait for children that their own parents have left to us and that have ended.

    Not while a child of our own is being waited for by somebody else.
    """
    if os.getpid() != first_pid:
        return
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess, ChildProcessError):
            if child.status() == psutil.STATUS_ZOMBIE:
                os.waitpid(child.pid, os.WNOHANG)


def _wait_for_end(paths: SupervisorPaths, rpc: SupervisorRpc, deadline: float) -> None:
    """Let a supervisord that is about to end do so."""
    try:
        pid = rpc.pid()
    except SupervisorAbsent:
        return
    while is_alive(pid):
        if time.monotonic() > deadline:
            raise SupervisorFault(f"The former supervisor of {paths.state_dir} has not ended yet; try again.")
        time.sleep(_POLL_SECONDS)
