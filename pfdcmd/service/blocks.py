"""Service files as blocks of assignments, and how several files make one set of declarations.

As in xinetd, all files together are one configuration: it may have one `defaults` block, which holds for the services
of every file. A fault belongs to one file, and takes nothing from the services of the others.
Source: xinetd.conf(5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pfdcmd.service.attributes import CUMULATIVE
from pfdcmd.service.config import Attribute, Declaration

MAX_SERVICES = 1024

_ONLY_IN_DEFAULTS = ("disabled", "enabled")


@dataclass(frozen=True)
class Assignment:
    """One line of a block: `name operator values`; the operator is one of = += -=."""

    name: str
    operator: str
    values: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Block:
    """`service NAME { ... }` or `defaults { ... }`, whose name is empty; lines count from 1, the last is the }."""

    name: str
    line: int
    last_line: int
    assignments: tuple[Assignment, ...]

    @property
    def service(self) -> str:
        """What the service is called: its id, when it has one."""
        ids = [each.values for each in self.assignments if each.name == "id"]
        return ids[0][0] if ids and len(ids[0]) == 1 else self.name


@dataclass(frozen=True)
class Include:
    """`include FILE` or `includedir DIRECTORY`."""

    path: str
    is_directory: bool
    line: int


@dataclass(frozen=True)
class ServiceFile:
    """One file, parsed: its blocks and includes in their order."""

    file_name: str
    defaults: Block | None = None
    services: tuple[Block, ...] = ()
    includes: tuple[Include, ...] = ()


@dataclass(frozen=True)
class Declared:
    """What all files declare, in their order, and the faults: file name -> file, line and reason."""

    declarations: tuple[Declaration, ...]
    faults: Mapping[str, str]


def declare(files: Iterable[ServiceFile]) -> Declared:
    """Merge files into declarations: the defaults with each service, the services with each other."""
    files = list(files)
    faults: dict[str, str] = {}
    defaults = _find_defaults(files, faults)
    taken: dict[str, str] = {}
    declarations: list[Declaration] = []
    for file in files:
        if file.file_name in faults:
            continue
        try:
            declarations += _declare_file(file, defaults, taken, MAX_SERVICES - len(declarations))
        except _BlockFault as fault:
            faults[file.file_name] = f"{file.file_name}:{fault.line}: {fault.reason}."
    return Declared(tuple(each for each in declarations if each.file_name not in faults), faults)


class _BlockFault(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


def _find_defaults(files: Iterable[ServiceFile], faults: dict[str, str]) -> dict[str, Attribute]:
    found: Block | None = None
    where = ""
    for file in files:
        if file.defaults is None:
            continue
        if found is not None:
            faults[file.file_name] = (
                f"{file.file_name}:{file.defaults.line}: there is a defaults block already, in {where}:{found.line}."
            )
            continue
        found, where = file.defaults, file.file_name
    if found is None:
        return {}
    try:
        return _merge(found, {})
    except _BlockFault as fault:
        faults[where] = f"{where}:{fault.line}: {fault.reason}."
        return {}


def _declare_file(
    file: ServiceFile, defaults: Mapping[str, Attribute], taken: dict[str, str], room: int
) -> list[Declaration]:
    general = {name: each for name, each in defaults.items() if name not in _ONLY_IN_DEFAULTS}
    declared: list[Declaration] = []
    for block in file.services:
        name = block.service
        if name in taken:
            raise _BlockFault(block.line, f"there is a service {name!r} already, in {taken[name]}")
        if len(declared) == room:
            raise _BlockFault(block.line, f"there are more than {MAX_SERVICES} services")
        for each in block.assignments:
            if each.name in _ONLY_IN_DEFAULTS:
                raise _BlockFault(each.line, f"{each.name} can stand in defaults only")
        attributes = _merge(block, general)
        declared.append(Declaration(name, file.file_name, block.line, attributes, _is_off(name, defaults)))
    taken.update({each.name: f"{file.file_name}:{each.line}" for each in declared})
    return declared


def _is_off(name: str, defaults: Mapping[str, Attribute]) -> bool:
    disabled, enabled = defaults.get("disabled"), defaults.get("enabled")
    return (disabled is not None and name in disabled.values) or (enabled is not None and name not in enabled.values)


def _merge(block: Block, defaults: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """Carry the assignments out, in their order, on top of the defaults."""
    merged = dict(defaults)
    assigned: set[str] = set()
    for each in block.assignments:
        if each.operator != "=" and each.name not in CUMULATIVE:
            raise _BlockFault(each.line, f"{each.name} is no list: {each.operator} cannot be used with it")
        before = merged[each.name].values if each.name in merged else ()
        if each.operator == "-=":
            values = tuple(word for word in before if word not in each.values)
        elif each.operator == "+=" or each.name in assigned:
            values = before + each.values
        else:
            values = each.values
        assigned.add(each.name)
        merged[each.name] = Attribute(values, each.line)
    return merged
