"""The whole set of services that shall run: from what all files declare, and what runs already.

A file with a fault changes nothing: what runs of it goes on as it is, and all other files count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from pfdcmd.errors import ServiceFileFault
from pfdcmd.service.blocks import ServiceFile, declare
from pfdcmd.service.config import ServiceConfig, parse_service


@dataclass(frozen=True)
class Reading:
    """What was read of the service files. `faults`: file name -> file, line and reason, of those that are not in files.

    `is_uncertain`: a file that cannot be read may hold the defaults, so that no service is known for certain.
    """

    files: tuple[ServiceFile, ...] = ()
    faults: Mapping[str, str] = field(default_factory=dict)
    is_uncertain: bool = False


@dataclass(frozen=True)
class Catalogue:
    """`services` shall run (or not, when disabled); `retained` are names of services that stay as they run."""

    services: tuple[ServiceConfig, ...]
    faults: Mapping[str, str]
    retained: frozenset[str] = frozenset()


def make_catalogue(
    reading: Reading,
    running: Collection[ServiceConfig],
    *,
    workers: int,
    drain_seconds: int,
    is_there: Mapping[str, bool],
    foreign: frozenset[str] = frozenset(),
) -> Catalogue:
    """Interpret what was read.

    Args:   running: the services as they run.
            workers, drain_seconds: for services that do not say themselves.
            is_there: file name -> whether the file exists, of the files that running services were declared in.
            foreign: files whose services go on although nobody reads them.
    """
    declared = declare(reading.files)
    faults = {**reading.faults, **declared.faults}
    services: dict[str, ServiceConfig] = {}
    for declaration in declared.declarations:
        try:
            service = parse_service(declaration, workers, drain_seconds)
            _check_address(service, services.values(), f"{declaration.file_name}:{declaration.line}")
        except ServiceFileFault as fault:
            faults.setdefault(declaration.file_name, fault.message)
        else:
            services[service.name] = service
    is_uncertain = reading.is_uncertain or any(f.defaults and f.file_name in declared.faults for f in reading.files)
    if is_uncertain:
        return Catalogue((), faults, frozenset(each.name for each in running))
    while True:
        wanted = {name: each for name, each in services.items() if each.declared_in not in faults}
        read = _read_well(reading, faults)
        retained = [
            each
            for each in running
            if each.name not in wanted
            and each.declared_in not in read
            and (each.declared_in in foreign or (faults and is_there.get(each.declared_in)))
        ]
        clashes = {
            service.declared_in: f"{service.declared_in}: port {service.port} belongs to service {holder!r}, "
            "which goes on until its file is mended."
            for service in wanted.values()
            if (holder := _holder(service, retained))
        }
        if not clashes:
            return Catalogue(tuple(wanted.values()), faults, frozenset(each.name for each in retained))
        faults |= clashes


def _holder(service: ServiceConfig, retained: Iterable[ServiceConfig]) -> str:
    """The retained service that has the service's port; empty when none has."""
    if service.is_disabled:
        return ""
    return next((each.name for each in retained if overlap(service.address, each.address)), "")


def _read_well(reading: Reading, faults: Mapping[str, str]) -> set[str]:
    return {file.file_name for file in reading.files if file.file_name not in faults}


def _check_address(service: ServiceConfig, others: Iterable[ServiceConfig], where: str) -> None:
    if service.is_disabled:
        return
    for other in others:
        if not other.is_disabled and overlap(service.address, other.address):
            raise ServiceFileFault(f"{where}: port {service.port} belongs to service {other.name!r} already.")


def overlap(one: tuple[str, int], other: tuple[str, int]) -> bool:
    """Whether two addresses cannot both be listened on by different sockets."""
    if one[1] != other[1] or (":" in one[0]) != (":" in other[0]):
        return False
    return one[0] == other[0] or {one[0], other[0]} & {"0.0.0.0", "::"} != set()
