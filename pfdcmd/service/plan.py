"""From the services that are wanted and the groups that run to the steps between: a reload as a diff, as data.

What is unchanged is not touched. A change that keeps its address is made by replacing one worker after the other, so
that the listening socket stays open throughout. A service that moves is brought up at its new address before the
group at the old one is told to finish.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from pfdcmd.service.config import ServiceConfig


class StepKind(Enum):
    """What is done to one group of processes."""

    ADD = "add"
    ROLL = "roll"  # new configuration, same socket: the workers are replaced one by one
    REPLACE = "replace"  # the group itself differs: it ends, and another begins
    KEEP = "keep"
    REMOVE = "remove"


@dataclass(frozen=True)
class Step:
    """One step. `service` is what the group shall be, None for a group that shall end."""

    kind: StepKind
    group: str
    service: ServiceConfig | None = None


def plan(desired: Iterable[ServiceConfig], running: Mapping[str, ServiceConfig | None]) -> list[Step]:
    """Order the steps so that each finds its address free.

    Args:    desired: every service that shall run; those that are disabled shall not.
             running: group -> what it was started as, None when that is not known.
    Returns: one step per group, in the order to be taken.
    """
    wanted = {service.group: service for service in desired if not service.is_disabled}
    changes = [Step(_kind(service, running), group, service) for group, service in wanted.items()]
    removals = [Step(StepKind.REMOVE, group) for group in running if group not in wanted]
    needed_ports = {str(step.service.port) for step in changes if step.kind is StepKind.ADD and step.service}
    in_the_way = [step for step in removals if step.group.rpartition("-")[2] in needed_ports]
    return in_the_way + changes + [step for step in removals if step not in in_the_way]


def _kind(service: ServiceConfig, running: Mapping[str, ServiceConfig | None]) -> StepKind:
    if service.group not in running:
        return StepKind.ADD
    current = running[service.group]
    if current is None:
        return StepKind.REPLACE
    if current == service:
        return StepKind.KEEP
    # what the supervisor itself holds of a group; the rest is read by each worker when it starts
    same_group = replace(service, data_dir=current.data_dir, log_dir=current.log_dir, tmp_dir=current.tmp_dir)
    return StepKind.ROLL if same_group == current else StepKind.REPLACE
