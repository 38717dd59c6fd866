"""Settings: one frozen value, from one table; defaults < file < environment < command line.

The table is `Settings` itself: each field says its key, type, unit, default and why. The file is INI text with one
section `[pfdcm]`; the environment variable of a key is `PFDCM_` and the key in capitals. `HOST_IP` is read as well, as
the original's documents set it, by whatever needs `%HOST_IP` (see actions.internalctl).
"""

from __future__ import annotations

import configparser
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pfdcmd.errors import ParameterFault

ENVIRONMENT_PREFIX = "PFDCM_"
SECTION = "pfdcm"


def _setting(default: Any, flag: str, unit: str, why: str, *, minimum: float | None = None) -> Any:
    return field(default=default, metadata={"flag": flag, "unit": unit, "why": why, "minimum": minimum})


@dataclass(frozen=True)
class Settings:
    """What a run of pfdcm goes by. Times are seconds, sizes are bytes."""

    ip_self: str = _setting("127.0.0.1", "--ipSelf", "address", "where to listen; 0.0.0.0 for every interface")
    port_self: int = _setting(4055, "--portSelf", "port", "the port that callers know", minimum=0)
    ip_swift: str = _setting("127.0.0.1", "--ipSwift", "address", "the object store's host, for /swift")
    port_swift: str = _setting("8080", "--portSwift", "port", "the object store's port, for /swift")
    http_proxy: str = _setting("", "--httpProxy", "URL", "kept for callers that read it from /this/args")
    forever: bool = _setting(False, "--forever", "", "without it one request is answered and pfdcm ends")
    http_response: bool = _setting(False, "--httpResponse", "", "the double header; without it, bare JSON")
    config_file_load: str = _setting("", "--configFileLoad", "file", "the tree, as JSON, to start from")
    config_file_save: str = _setting("", "--configFileSave", "file", "where the tree is saved after every change")
    debug_to_dir: str = _setting("", "--debugToDir", "directory", "log to pfdcm.log in this directory as well")
    verbosity: str = _setting("1", "--verbosity", "level", "0 warnings, 1 what happens, 2 and more debugging")
    type: str = _setting("swift", "--type", "", "the object store's kind; swift is the only one")
    start_listener: bool = _setting(False, "--startlistener", "", "do `xinetd service everything` at start")
    set_pacs: str = _setting("", "--setPACS", "JSON", "PACS entries to set below /PACS at start")
    dicom_dir: str = _setting("/dicom", "--dicomDir", "directory", "sets /xinetd/dataDir, logDir and tmpDir")
    state_dir: str = _setting(
        "", "--stateDir", "directory", "supervisord's; default /var/lib/pfdcm, or the user's own if not writable"
    )
    service_file: str = _setting(
        "", "--serviceFile", "file", "/xinetd/file; default in /etc/xinetd.d, or the state directory if not writable"
    )
    listener_workers: int = _setting(
        2, "--listenerWorkers", "processes", "of a listener; two, so that one may die unnoticed", minimum=1
    )
    listener_start_seconds: float = _setting(
        20.0, "--listenerStartSeconds", "s", "how long a listener may take until it answers C-ECHO", minimum=0.1
    )
    max_body_bytes: int = _setting(
        4 * 1024 * 1024, "--maxBodyBytes", "bytes", "a larger message is refused unread", minimum=1024
    )
    max_nesting: int = _setting(64, "--maxNesting", "levels", "a deeper message is refused", minimum=4)
    max_connections: int = _setting(1024, "--maxConnections", "connections", "callers connected at once", minimum=1)
    request_seconds: float = _setting(
        60.0, "--requestSeconds", "s", "for a caller to send its whole message", minimum=0.1
    )
    max_tree_leaves: int = _setting(100_000, "--maxTreeLeaves", "leaves", "a set that passes it is refused", minimum=1)
    pacs_connect_seconds: float = _setting(10.0, "--pacsConnectSeconds", "s", "for the TCP connection", minimum=0.1)
    pacs_association_seconds: float = _setting(
        30.0, "--pacsAssociationSeconds", "s", "for the PACS to answer A-ASSOCIATE", minimum=0.1
    )
    pacs_response_seconds: float = _setting(
        60.0, "--pacsResponseSeconds", "s", "between two responses of one C-FIND or C-MOVE", minimum=0.1
    )
    pacs_query_seconds: float = _setting(600.0, "--pacsQuerySeconds", "s", "for a whole query", minimum=0.1)
    pacs_retrieve_seconds: float = _setting(
        14_400.0, "--pacsRetrieveSeconds", "s", "for a whole retrieve of one series", minimum=0.1
    )
    pacs_associations: int = _setting(
        16, "--pacsAssociations", "associations", "open to one PACS at once; others wait their turn", minimum=1
    )
    pacs_max_matches: int = _setting(
        20_000, "--pacsMaxMatches", "matches", "of one query, studies and series together", minimum=1
    )

    def describe(self) -> list[tuple[str, str, str, str]]:
        """Each key with its effective value, unit and reason, in the table's order."""
        return [(f.name, str(getattr(self, f.name)), f.metadata["unit"], f.metadata["why"]) for f in fields(self)]


def read_settings(
    *, file: Path | None = None, environ: Mapping[str, str] | None = None, options: Mapping[str, Any] | None = None
) -> Settings:
    """Merge the sources, weakest first: the table's defaults, the file, the environment, the command line.

    Args:    options: key -> value, of the keys that the command line named.
    Raises:  ParameterFault: an unknown key or a value of the wrong kind, naming the key and where it stands.
    """
    values: dict[str, Any] = {}
    if file is not None:
        values.update(_from_file(file))
    values.update(_from_environment(environ or {}))
    values.update(options or {})
    return Settings(**values)


def _from_file(file: Path) -> dict[str, Any]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with file.open(encoding="utf-8") as stream:
            parser.read_file(stream)
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise ParameterFault(f"The settings file cannot be read: {error}") from error
    if parser.sections() != [SECTION]:
        raise ParameterFault(f"The settings file {file} must have one section, [{SECTION}].")
    return _convert(parser.items(SECTION), f"the settings file {file}")


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    named = [
        (name.removeprefix(ENVIRONMENT_PREFIX).lower(), value)
        for name, value in environ.items()
        if name.startswith(ENVIRONMENT_PREFIX)
    ]
    return _convert(named, "the environment")


def _convert(items: Iterable[tuple[str, str]], where: str) -> dict[str, Any]:
    table = {f.name: f for f in fields(Settings)}
    values: dict[str, Any] = {}
    for key, text in items:
        if key not in table:
            raise ParameterFault(f"There is no setting {key!r} (in {where}); --showSettings lists them.")
        try:
            values[key] = convert(key, text)
        except ParameterFault as fault:
            raise ParameterFault(f"{fault.message} (in {where})") from fault
    return values


def convert(key: str, text: str) -> Any:
    """The value of one key from its text. Raises: ParameterFault: not of the key's type, or below its minimum."""
    setting = next(f for f in fields(Settings) if f.name == key)
    kind: type[Any] = type(setting.default)
    if kind is bool:
        states = configparser.ConfigParser.BOOLEAN_STATES
        if text.lower() not in states:
            raise ParameterFault(f"{key} must be yes or no, not {text!r}.")
        return states[text.lower()]
    try:
        value = kind(text)
    except ValueError as error:
        raise ParameterFault(f"{key} must be a number ({setting.metadata['unit']}), not {text!r}.") from error
    minimum = setting.metadata["minimum"]
    if minimum is not None and not value >= minimum:
        raise ParameterFault(f"{key} must be at least {minimum} ({setting.metadata['unit']}), not {text}.")
    return value
