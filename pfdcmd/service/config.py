"""A service as configured: one storage listener, declared in a service file.

A `Declaration` is what the file says, attribute by attribute; a `ServiceConfig` is what is meant by it, checked. Every
value that ends in a supervisor's configuration, a file name or a command line has passed a check here first.
Source: xinetd.conf(5) for the attributes; the options of `server_args` are px-listen's.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from pfdcmd.errors import ParameterFault, ServiceFault, ServiceFileFault
from pfdcmd.names import parse_port

DEFAULT_DRAIN_SECONDS = 60
"""xinetd cuts transfers off at once; a minute lets all but the largest series end."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z")
_PATH_MAX_LENGTH = 1024
_SYNTAX = frozenset("\"'\\{}")
_EVERY_INTERFACE = "0.0.0.0"
_OPTIONS = {
    "-t": "tmp_dir",
    "--tmpDir": "tmp_dir",
    "-l": "log_dir",
    "--logDir": "log_dir",
    "-d": "data_dir",
    "--dataDir": "data_dir",
    "-e": None,
}
_FIXED = {"socket_type": "stream", "wait": "no", "type": "UNLISTED", "protocol": "tcp"}
_WITHOUT_EFFECT = frozenset({"server", "user", "group", "id", "flags", "log_type", "log_on_success", "log_on_failure"})
_READ = frozenset({"disable", "port", "bind", "interface", "server_args"})


@dataclass(frozen=True)
class Attribute:
    """The words on the right of one attribute, and the line (from 1) where it stands."""

    values: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class Declaration:
    """One `service` block of a service file, not interpreted yet; `line` is where it begins."""

    name: str
    file_name: str
    line: int
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True)
class ServiceConfig:
    """A storage listener as declared. Directories are absolute; `bind` is an IPv4 address."""

    name: str
    bind: str
    port: int
    data_dir: str
    log_dir: str
    tmp_dir: str
    workers: int
    is_disabled: bool = False
    drain_seconds: int = DEFAULT_DRAIN_SECONDS

    @property
    def group(self) -> str:
        """The supervisor's name for the processes: a service that moves to another port is another group, so that
        the new port can answer while the old one finishes what it is receiving."""
        return f"{self.name}-{self.port}"

    @property
    def local_address(self) -> tuple[str, int]:
        """Where this machine reaches the listener."""
        return ("127.0.0.1" if self.bind == _EVERY_INTERFACE else self.bind, self.port)


def check_directory(value: object, what: str) -> str:
    """An absolute path that can stand in `server_args`, whose words are parted by white space and cannot be quoted.

    Raises: ServiceFault: it is not one; the message names `what`.
    """
    if not isinstance(value, str) or not value.startswith("/") or len(value) > _PATH_MAX_LENGTH:
        raise ServiceFault(f"{what} must be an absolute path of at most {_PATH_MAX_LENGTH} characters.")
    if not value.isprintable() or any(c.isspace() or c in _SYNTAX for c in value):
        raise ServiceFault(f"{what} must not hold spaces, control characters, quotes, backslashes or braces.")
    if ".." in value.split("/"):
        raise ServiceFault(f"{what} must not hold '..'.")
    return value


def parse_service(
    declaration: Declaration, workers: int, drain_seconds: int = DEFAULT_DRAIN_SECONDS
) -> ServiceConfig:
    """Interpret one declaration; an attribute that would be without its effect here is refused, not ignored.

    Raises: ServiceFileFault: with the file and the line of what cannot be used.
    """
    if not _NAME.match(declaration.name):
        _refuse(declaration, declaration.line, "a service's name is 1 to 63 letters, digits, '_', '.' or '-'")
    for name, attribute in declaration.attributes.items():
        _check_known(declaration, name, attribute)
    directories = _parse_server_args(declaration)
    return ServiceConfig(
        name=declaration.name,
        bind=_parse_bind(declaration),
        port=_parse_port(declaration),
        data_dir=directories["data_dir"],
        log_dir=directories["log_dir"],
        tmp_dir=directories["tmp_dir"],
        workers=workers,
        is_disabled=_parse_switch(declaration, "disable"),
        drain_seconds=drain_seconds,
    )


def _refuse(declaration: Declaration, line: int, reason: str) -> NoReturn:
    raise ServiceFileFault(f"{declaration.file_name}:{line}: {reason}.")


def _check_known(declaration: Declaration, name: str, attribute: Attribute) -> None:
    if name in _FIXED:
        if attribute.values != (_FIXED[name],):
            _refuse(declaration, attribute.line, f"{name} must be {_FIXED[name]} for a DICOM listener")
    elif name not in _READ and name not in _WITHOUT_EFFECT:
        _refuse(declaration, attribute.line, f"{name!r} cannot be honoured by this version and so is not accepted")


def _single(declaration: Declaration, name: str) -> tuple[str | None, int]:
    attribute = declaration.attributes.get(name)
    if attribute is None:
        return None, declaration.line
    if len(attribute.values) != 1:
        _refuse(declaration, attribute.line, f"{name} takes one value")
    return attribute.values[0], attribute.line


def _parse_switch(declaration: Declaration, name: str) -> bool:
    text, line = _single(declaration, name)
    if text not in (None, "yes", "no"):
        _refuse(declaration, line, f"{name} must be yes or no")
    return text == "yes"


def _parse_port(declaration: Declaration) -> int:
    text, line = _single(declaration, "port")
    try:
        return parse_port(text, "port")
    except ParameterFault:
        _refuse(declaration, line, "port must be a TCP port, 1 to 65535")


def _parse_bind(declaration: Declaration) -> str:
    text, line = _single(declaration, "bind")
    if text is None:
        text, line = _single(declaration, "interface")
    try:
        return str(ipaddress.IPv4Address(text if text is not None else _EVERY_INTERFACE))
    except ValueError:
        _refuse(declaration, line, f"bind must be an IPv4 address of this machine, or {_EVERY_INTERFACE}")


def _parse_server_args(declaration: Declaration) -> dict[str, str]:
    attribute = declaration.attributes.get("server_args", Attribute((), declaration.line))
    directories: dict[str, str] = {}
    for option, value in _pairs(declaration, attribute):
        key = _OPTIONS[option]
        if key is None:
            continue
        if key in directories:
            _refuse(declaration, attribute.line, f"server_args names {option} twice")
        try:
            directories[key] = check_directory(value, f"server_args {option}")
        except ServiceFault as fault:
            raise ServiceFileFault(f"{declaration.file_name}:{attribute.line}: {fault.message}") from fault
    missing = [option for option in ("-t", "-l", "-d") if _OPTIONS[option] not in directories]
    if missing:
        _refuse(declaration, attribute.line, f"server_args must name a directory for {', '.join(missing)}")
    return directories


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
