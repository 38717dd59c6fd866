"""What the tree shows below /listeners: each service's configuration and live state, and the last reload, as JSON.

/listeners/<service>        state pids port associations_open ... configuration/<attribute>
/listeners/.reload          what the last reload meant
/listeners/.faults          file, line and reason of files that are not in force
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pfdcmd.service.config import Declaration, ServiceConfig
from pfdcmd.service.plan import Difference, name_of_group
from pfdcmd.service.state import LEAVING, Worker, WorkerReport, WorkerState

RELOAD_KEY = ".reload"
FAULTS_KEY = ".faults"
CONFIGURATION_KEY = "configuration"
DISABLED = "DISABLED"

_ORDER = (
    WorkerState.RUNNING,
    WorkerState.STARTING,
    WorkerState.BACKOFF,
    WorkerState.FATAL,
    WorkerState.STOPPING,
    WorkerState.EXITED,
    WorkerState.UNKNOWN,
    WorkerState.STOPPED,
)
"""A service is in the first of these that one of its workers is in."""


@dataclass(frozen=True)
class Totals:
    """What the workers of a service have counted; of groups that are gone, too."""

    associations: int = 0
    images: int = 0
    size_bytes: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)

    def __add__(self, other: Totals) -> Totals:
        reasons = {*self.refused, *other.refused}
        return Totals(
            self.associations + other.associations,
            self.images + other.images,
            self.size_bytes + other.size_bytes,
            {reason: self.refused.get(reason, 0) + other.refused.get(reason, 0) for reason in sorted(reasons)},
        )


def totals_of(report: WorkerReport) -> Totals:
    """What a worker's report counts since the worker began."""
    return Totals(report.associations_total, report.images, report.size_bytes, report.refused)


@dataclass(frozen=True)
class Seen:
    """One worker as last seen; `last_words` of one that has failed."""

    worker: Worker
    report: WorkerReport | None
    last_words: str = ""


def list_service(
    service: ServiceConfig, declaration: Declaration | None, seen: Sequence[Seen], gone: Totals, reason: str
) -> dict[str, Any]:
    """One service's directory.

    Args: declaration: what its file says, when that is in force.
          gone: what the groups had counted that are no more. reason: why it is not as declared; empty when it is.
    """
    mine = [each for each in seen if name_of_group(each.worker.group) == service.name]
    serving = [each for each in mine if each.worker.state not in LEAVING]
    reports = [each.report for each in mine if each.report is not None]
    totals = sum((totals_of(report) for report in reports), gone)
    words = [each.last_words for each in mine if each.last_words] + [r.last_error for r in reports if r.last_error]
    return {
        "state": _state(service, serving or mine),
        "pids": [each.worker.pid for each in mine if each.worker.pid],
        "address": service.bind,
        "port": str(service.port),
        "associations_open": sum(report.associations_open for report in reports),
        "associations_total": totals.associations,
        "images": totals.images,
        "bytes": totals.size_bytes,
        "refused": dict(totals.refused),
        "last_error": reason or (words[0] if words else ""),
        "draining": sum(report.associations_open for report in reports if report.is_draining),
        "file": service.declared_in,
        CONFIGURATION_KEY: _configuration(declaration),
    }


def list_reload(difference: Difference, when: str) -> dict[str, Any]:
    """The last reload as data."""
    return {
        "when": when,
        "added": list(difference.added),
        "changed": list(difference.changed),
        "removed": list(difference.removed),
        "unchanged": list(difference.unchanged),
        "failed": dict(difference.failed),
    }


def _state(service: ServiceConfig, seen: Iterable[Seen]) -> str:
    states = {each.worker.state for each in seen}
    first = next((state for state in _ORDER if state in states), None)
    if first is not None:
        return first.value
    return DISABLED if service.is_disabled else WorkerState.STOPPED.value


def _configuration(declaration: Declaration | None) -> dict[str, str]:
    if declaration is None:
        return {}
    return {name: " ".join(each.values) for name, each in declaration.attributes.items()}
