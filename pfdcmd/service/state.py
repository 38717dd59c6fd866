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


ENDED = frozenset({WorkerState.STOPPED, WorkerState.EXITED, WorkerState.FATAL})
"""There is no process, and the supervisor will not start one by itself."""

FAILED = frozenset({WorkerState.BACKOFF, WorkerState.FATAL})
"""The process ended before it could be called started."""

LEAVING = frozenset({WorkerState.STOPPING, WorkerState.STOPPED})
"""Somebody has asked the process to end: its group is retired when all are in one of these."""

REMOVABLE = frozenset({WorkerState.STOPPED, WorkerState.EXITED, WorkerState.FATAL, WorkerState.UNKNOWN})
"""The supervisor lets go of a group when all its processes are in one of these."""


@dataclass(frozen=True)
class Worker:
    """One process of a listener: its group and name for the supervisor, its process id (0: none), its log, and for how
    long it has been running."""

    group: str
    name: str
    state: WorkerState
    pid: int
    log_file: str
    spawn_error: str
    age_seconds: float = 0.0

    @property
    def full_name(self) -> str:
        """The name by which the supervisor's calls address it."""
        return f"{self.group}:{self.name}"

    @property
    def number(self) -> int:
        """Its place in the group, from 0."""
        number = self.name.rpartition("-")[2]
        return int(number) if number.isdecimal() else 0


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
            age_seconds=float(info.get("now", 0)) - float(info.get("start", 0)),
        )
        for info in infos
    ]


@dataclass(frozen=True)
class WorkerReport:
    """What a worker says of itself about once a second. `heartbeat` is the machine's monotonic clock, in seconds.

    Totals count from when the worker's place (its group and number) was first filled: a worker that takes a killed
    one's place carries its totals on.
    """

    pid: int
    heartbeat: float
    is_draining: bool
    associations_open: int
    associations_total: int
    images: int
    size_bytes: int
    refused: Mapping[str, int]
    last_error: str
