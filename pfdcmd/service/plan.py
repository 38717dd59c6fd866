"""From the services that are wanted and the groups that run to the steps between: a reload as a diff, as data.

What is unchanged is not touched. A service that is changed gets a new group of processes, on the same listening socket
when its address is the same; only when that serves is the old group retired: it takes nothing new, finishes what is
open, and ends. A change that fails so leaves what ran.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from pfdcmd.service.catalogue import overlap
from pfdcmd.service.config import ServiceConfig


class StepKind(Enum):
    """What is done to one group of processes."""

    RELEASE = "release"  # retired before the others begin: it holds a port that another address needs
    ADD = "add"
    SUCCEED = "succeed"  # added beside the group of the same service, which is retired once this one serves
    KEEP = "keep"
    RETIRE = "retire"


@dataclass(frozen=True)
class Step:
    """One step. `service` is what the group shall be, None for one that shall end; `service_name` names it anyway."""

    kind: StepKind
    group: str
    service_name: str
    service: ServiceConfig | None = None


@dataclass(frozen=True)
class Difference:
    """What a reload meant, by the services' names; `failed` has the reason, `faults` those of files."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Reload:
    """A reload as carried out: what it meant, and the services that were declared, the disabled ones among them."""

    difference: Difference
    services: tuple[ServiceConfig, ...]


def name_of_group(group: str) -> str:
    """The service that a group belongs to (see ServiceConfig.group)."""
    return group.rpartition("-")[0]


def plan(
    desired: Iterable[ServiceConfig],
    running: Mapping[str, ServiceConfig | None],
    *,
    retained: Iterable[str] = (),
    leaving: Iterable[str] = (),
    renewed: Iterable[str] = (),
) -> list[Step]:
    """Order the steps so that each finds its address free.

    Args:    desired: every service that shall run; those that are disabled shall not.
             running: group -> what it was started as, None when that is not known.
             retained: names of services whose groups are left as they are.
             leaving: groups on their way out; their names are taken, else they do not count.
             renewed: names of services that get a new group though nothing about them has changed.
    Returns: one step per group, in the order to be taken.
    """
    retained = frozenset(retained)
    renewed = frozenset(renewed)
    taken = {*running, *leaving}
    wanted = {each.name: each for each in desired if not each.is_disabled and each.name not in retained}
    steps: list[Step] = []
    kept: set[str] = set()
    for name, service in wanted.items():
        groups = [group for group in running if name_of_group(group) == name]
        same = None if name in renewed else next((group for group in groups if running[group] == service), None)
        if same is None:
            kind = StepKind.SUCCEED if groups else StepKind.ADD
            steps.append(Step(kind, _new_group(service, taken), name, service))
        else:
            kept.add(same)
            steps.append(Step(StepKind.KEEP, same, name, service))
    needed = [each.service.address for each in steps if each.service is not None and each.kind is not StepKind.KEEP]
    for group in running:
        name = name_of_group(group)
        if group in kept or name in retained:
            continue
        is_in_the_way = any(_is_in_the_way(group, running[group], address) for address in needed)
        steps.append(Step(StepKind.RELEASE if is_in_the_way else StepKind.RETIRE, group, name))
    return sorted(steps, key=lambda step: list(StepKind).index(step.kind))


def difference(
    steps: Iterable[Step], *, failed: Mapping[str, str], faults: Mapping[str, str], retained: Iterable[str]
) -> Difference:
    """What the steps mean for the services."""
    by_name: dict[str, set[StepKind]] = {}
    for step in steps:
        by_name.setdefault(step.service_name, set()).add(step.kind)
    sides: dict[str, list[str]] = {"added": [], "changed": [], "removed": [], "unchanged": list(retained)}
    for name, kinds in by_name.items():
        if name in failed:
            continue
        if StepKind.KEEP in kinds:
            sides["unchanged"].append(name)
        elif StepKind.SUCCEED in kinds:
            sides["changed"].append(name)
        else:
            sides["added" if StepKind.ADD in kinds else "removed"].append(name)
    return Difference(
        added=tuple(sides["added"]),
        changed=tuple(sides["changed"]),
        removed=tuple(sides["removed"]),
        unchanged=tuple(sides["unchanged"]),
        failed=dict(failed),
        faults=dict(faults),
    )


def _new_group(service: ServiceConfig, taken: Iterable[str]) -> str:
    taken = frozenset(taken)
    generation = 0
    while service.group(generation) in taken:
        generation += 1
    return service.group(generation)


def _is_in_the_way(group: str, service: ServiceConfig | None, address: tuple[str, int]) -> bool:
    """A socket is shared by groups of the same address; one of another address on the port must be closed first."""
    if service is None:
        return group.rpartition("-")[2].partition(".")[0] == str(address[1])
    return service.address != address and overlap(service.address, address)
