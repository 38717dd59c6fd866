"""A listener's processes as its supervisor reports them, and the sets of states that decisions go by.

Source: Supervisor's manual, "Process States" and `getAllProcessInfo`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class WorkerState(StrEnum):
    """Supervisor's process states, by their own names."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    BACKOFF = "BACKOFF"
    STOPPING = "STOPPING"
    EXITED = "EXITED"
    FATAL = "FATAL"
    UNKNOWN = "UNKNOWN"


SERVING = frozenset({WorkerState.STARTING, WorkerState.RUNNING})
"""There is a process, and nobody has asked it to end."""

ENDED = frozenset({WorkerState.STOPPED, WorkerState.EXITED, WorkerState.FATAL})
"""There is no process, and the supervisor will not start one by itself."""

FAILED = frozenset({WorkerState.BACKOFF, WorkerState.FATAL})
"""The process ended before it could be called started."""

REMOVABLE = frozenset({WorkerState.STOPPED, WorkerState.EXITED, WorkerState.FATAL, WorkerState.UNKNOWN})
"""The supervisor lets go of a group when all its processes are in one of these."""


@dataclass(frozen=True)
class Worker:
    """One process of a listener: its group and name for the supervisor, its process id (0: none), and its log."""

    group: str
    name: str
    state: WorkerState
    pid: int
    log_file: str
    spawn_error: str

    @property
    def full_name(self) -> str:
        """The name by which the supervisor's calls address it."""
        return f"{self.group}:{self.name}"


def parse_workers(infos: Iterable[Mapping[str, Any]]) -> list[Worker]:
    """Read the supervisor's process records, in its order; a state that is new to us is UNKNOWN."""
    known = {state.value: state for state in WorkerState}
    return [
        Worker(
            group=str(info["group"]),
            name=str(info["name"]),
            state=known.get(str(info["statename"]), WorkerState.UNKNOWN),
            pid=int(info["pid"]),
            log_file=str(info["stdout_logfile"]),
            spawn_error=str(info["spawnerr"]),
        )
        for info in infos
    ]
