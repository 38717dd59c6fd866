"""A service as configured: one storage listener, declared in a service file.

A `Declaration` is what the file says, attribute by attribute; a `ServiceConfig` is what is meant by it, checked. Every
value that ends in a supervisor's configuration, a file name or a command line has passed a check first.
Source: xinetd.conf(5) for the attributes; the options of `server_args` are px-listen's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from pfdcmd.errors import ParameterFault, ServiceFileFault
from pfdcmd.service.attributes import ATTRIBUTES, Side
from pfdcmd.service.values import Value, directory

DEFAULT_DRAIN_SECONDS = 60
"""xinetd cuts transfers off at once; a minute lets all but the largest series end."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z")
_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_OPTIONS = {
    "-t": "tmp_dir",
    "--tmpDir": "tmp_dir",
    "-l": "log_dir",
    "--logDir": "log_dir",
    "-d": "data_dir",
    "--dataDir": "data_dir",
    "-e": None,
}
_DIRECTORIES = {"tmp_dir": "-t", "log_dir": "-l", "data_dir": "-d"}
_LISTENER_KEYS = {
    "max_pdu": "max_pdu_bytes",
    "association_timeout": "association_timeout_seconds",
    "idle_timeout": "idle_timeout_seconds",
    "ae_title": "ae_titles",
    "allowed_calling_ae": "allowed_calling_aes",
    "rlimit_as": "rlimit_as_bytes",
    "groups": "has_supplementary_groups",
}
"""Attributes that the listener's configuration calls otherwise; its keys have units and plurals."""
_DOOR_KEYS = frozenset(
    (
        "access_times",
        "ae_titles",
        "allowed_calling_aes",
        "cps",
        "instances",
        "max_load",
        "no_access",
        "only_from",
        "per_source",
        "require_called_ae",
        "tls_certificate",
    )
)


@dataclass(frozen=True)
class Attribute:
    """The words on the right of one attribute, and the line (from 1) where it stands."""

    values: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Declaration:
    """One `service` block of a service file, not interpreted yet; `line` is where it begins.

    `is_off`: a defaults block disables it, by `disabled` or by an `enabled` that does not name it.
    """

    name: str
    file_name: str
    line: int
    attributes: Mapping[str, Attribute]
    is_off: bool = False


@dataclass(frozen=True)
class ServiceConfig:
    """A storage listener as declared. Directories are absolute; `bind` is an address in its shortest form.

    `options` are further keys of the listener's configuration, as JSON has them, of the attributes that were given.
    `declared_in` is the service file; where a service is declared does not make it another one.
    """

    name: str
    bind: str
    port: int
    data_dir: str
    log_dir: str
    tmp_dir: str
    workers: int
    is_disabled: bool = False
    drain_seconds: int = DEFAULT_DRAIN_SECONDS
    options: Mapping[str, Any] = field(default_factory=dict)
    declared_in: str = field(default="", compare=False)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return (self.bind, self.port)

    @property
    def local_address(self) -> tuple[str, int]:
        """Where this machine reaches the listener."""
        return (_EVERY_INTERFACE.get(self.bind, self.bind), self.port)

    @property
    def is_open_to_all(self) -> bool:
        """Whether it refuses nobody by rules of its own, a C-ECHO of ours included."""
        return not _DOOR_KEYS & self.options.keys()

    def group(self, generation: int = 0) -> str:
        """The supervisor's name for the processes. A service that is changed gets a new group beside the old one, which
        finishes what it is receiving: that it is another one shows in its port or its generation."""
        return f"{self.name}-{self.port}" + (f".{generation}" if generation else "")


def parse_service(declaration: Declaration, workers: int, drain_seconds: int = DEFAULT_DRAIN_SECONDS) -> ServiceConfig:
    """Interpret one declaration; an attribute that would be without its effect here is refused, not ignored.

    Args:   workers, drain_seconds: for a service that does not say itself.
    Raises: ServiceFileFault: with the file and the line of what cannot be used.
    """
    if not _NAME.match(declaration.name):
        _refuse(declaration, declaration.line, "a service's name is 1 to 63 letters, digits, '_', '.' or '-'")
    values = {
        name: _interpret(declaration, name, each) for name, each in declaration.attributes.items() if name != "id"
    }
    directories = _directories(declaration, values)
    if "port" not in values:
        _refuse(declaration, declaration.line, "port must be given: a TCP port, 1 to 65535")
    return ServiceConfig(
        name=declaration.name,
        bind=str(values.get("bind", values.get("interface", "0.0.0.0"))),
        port=int(str(values["port"])),
        **directories,
        workers=int(str(values.get("workers", workers))),
        is_disabled=declaration.is_off or values.get("disable") is True,
        drain_seconds=int(str(values.get("drain_seconds", drain_seconds))),
        options=_listener_options(declaration, values),
        declared_in=declaration.file_name,
    )


def _refuse(declaration: Declaration, line: int, reason: str) -> NoReturn:
    raise ServiceFileFault(f"{declaration.file_name}:{line}: {reason}.")


def _interpret(declaration: Declaration, name: str, attribute: Attribute) -> Value | None:
    row = ATTRIBUTES.get(name)
    if row is None:
        _refuse(declaration, attribute.line, f"there is no attribute {name!r}")
    if row.side is Side.REFUSED:
        _refuse(declaration, attribute.line, f"{name} cannot be honoured: {row.meaning}")
    if row.parse is None:
        return None
    try:
        return row.parse(attribute.values)
    except ParameterFault as fault:
        _refuse(declaration, attribute.line, f"{name} {fault.message}")


def _listener_options(declaration: Declaration, values: Mapping[str, Value | None]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for name, value in values.items():
        if ATTRIBUTES[name].side is Side.LISTENER and name not in _DIRECTORIES:
            options[_LISTENER_KEYS.get(name, name)] = value
    rate = options.pop("cps", None)
    if rate is not None:
        options["cps_connections"], options["cps_wait_seconds"] = rate
    if options.get("only_from") == []:
        options["is_for_nobody"] = True
    if options.get("require_called_ae") and "ae_titles" not in options:
        line = declaration.attributes["require_called_ae"].line
        _refuse(declaration, line, "require_called_ae needs ae_title")
    for name in ("tls_key", "tls_ca", "tls_profile"):
        if name in options and "tls_certificate" not in options:
            _refuse(declaration, declaration.attributes[name].line, f"{name} needs tls_certificate")
    if "ae_titles" in options:
        options.setdefault("require_called_ae", True)
    return options


def _directories(declaration: Declaration, values: Mapping[str, Value | None]) -> dict[str, str]:
    attribute = declaration.attributes.get("server_args", Attribute((), declaration.line))
    found: dict[str, str] = {}
    for option, value in _pairs(declaration, attribute):
        key = _OPTIONS[option]
        if key is None:
            continue
        if key in found:
            _refuse(declaration, attribute.line, f"server_args names {option} twice")
        try:
            found[key] = directory(value)
        except ParameterFault as fault:
            _refuse(declaration, attribute.line, f"server_args {option} {fault.message}")
    for name in _DIRECTORIES:
        if name in values and name in found:
            _refuse(declaration, declaration.attributes[name].line, f"{name} is named by server_args already")
        if name in values:
            found[name] = str(values[name])
    missing = [f"{option} ({name})" for name, option in _DIRECTORIES.items() if name not in found]
    if missing:
        _refuse(
            declaration, attribute.line, f"server_args or attributes must name a directory for {', '.join(missing)}"
        )
    return found


def _pairs(declaration: Declaration, attribute: Attribute) -> Sequence[tuple[str, str]]:
    words = attribute.values
    for option in words[::2]:
        if option not in _OPTIONS:
            _refuse(
                declaration, attribute.line, f"server_args has {option!r}, which is not one of {', '.join(_OPTIONS)}"
            )
    if len(words) % 2:
        _refuse(declaration, attribute.line, f"server_args {words[-1]} lacks its value")
    return list(zip(words[::2], words[1::2], strict=True))
